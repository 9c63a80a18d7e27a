/** Which revision a plan gets, and since when edges have a domain: one life of a leader after the other. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { exampleConfig } from '../../contract/kinds/testdata.ts';
import { compareRevisions } from '../../contract/plans/revision.ts';
import { type Compiled, compile } from '../compile/compile.ts';
import { domain, node } from '../testing/resources.ts';
import { isForeign, type Publication, publish, raiseEpoch, startPublication } from './publication.ts';

const config = weirConfig.parse(exampleConfig);
const start = (epoch = 3) => startPublication(epoch, new Map(), 'run-1');

function compiled(domains: readonly string[], nodes: readonly string[] = ['la-1']): Compiled {
  return compile(
    { domains: domains.map(domain), nodes: nodes.map((name) => node(name)), jobs: [], certificates: [] },
    config,
  );
}

/** An origin's URL concerns edges alone. */
function withOrigin(url: string): Compiled {
  const plans = compiled(['video']);
  const domains = plans.edge.domains.map((row) => ({ ...row, origin: { ...row.origin, url } }));
  return { ...plans, edge: { domains } };
}

const publishAll = (first: Publication, ...moments: Compiled[]) => moments.reduce(publish, first);
const revisions = ({ edge, routing }: Publication) => [edge?.revision, routing?.revision];
const since = ({ history }: Publication, name: string) => history.get(`uid-${name}`)?.since;
const at = (seq: number, epoch = 3) => ({ epoch, seq });

describe('a revision', () => {
  test('is given to the edges’ plan before the routing plan: what DNS points at exists before', () => {
    expect(revisions(publish(start(), compiled(['video'])))).toEqual([at(1), at(2)]);
  });

  test('is not given again to an equal plan, which stays the same value', () => {
    const first = publish(start(), compiled(['video']));
    const second = publish(first, compiled(['video']));
    expect([second.edge, second.routing, second.seq]).toEqual([first.edge, first.routing, 2]);
    expect(second.edge).toBe(first.edge);
  });

  test('is given to the plan alone that changed', () => {
    const first = publish(start(), compiled(['video']));
    expect(revisions(publish(first, compiled(['video'], ['la-1', 'la-2'])))).toEqual([at(1), at(3)]);
    expect(revisions(publish(first, withOrigin('http://other.example.com')))).toEqual([at(3), at(2)]);
  });

  test('names the run that published it', () => {
    const { edge, routing } = publish(start(), compiled(['video']));
    expect([edge?.run, routing?.run]).toEqual(['run-1', 'run-1']);
  });
});

describe('since', () => {
  test('is the first edge plan that had the domain, and stays while its form changes', () => {
    const added = publishAll(start(), compiled(['video']), compiled(['video', 'www']));
    expect([since(added, 'video'), since(added, 'www')]).toEqual([at(1), at(3)]);
    const changed = publishAll(start(), compiled(['video']), withOrigin('http://other.example.com'));
    expect(changed.history.get('uid-video')).toMatchObject({ since: at(1), changed: at(3), routed: at(2) });
  });

  test('travels beside the routing plan, which its digest does not cover', () => {
    const { routing } = publishAll(start(), compiled(['video']), compiled(['video', 'www']));
    expect(routing?.since).toEqual({ 'uid-video': at(1), 'uid-www': at(3) });
    expect(publish(start(9), compiled(['video', 'www'])).routing?.digest).toBe(routing?.digest);
  });

  test('begins anew for a domain that was away', () => {
    const back = publishAll(
      start(),
      compiled(['video', 'www']),
      compiled(['www']),
      compiled(['video', 'www']),
    );
    expect([since(back, 'video'), since(back, 'www')]).toEqual([at(5), at(1)]);
  });

  test('is what an earlier leader wrote down, unless the domain was away in between', () => {
    const restored = startPublication(4, new Map([['uid-video', at(7)]]), 'run-2');
    const first = publish(restored, compiled(['video', 'www']));
    expect([since(first, 'video'), since(first, 'www')]).toEqual([at(7), at(1, 4)]);
    const back = publishAll(restored, compiled(['www']), compiled(['video', 'www']));
    expect(since(back, 'video')).toEqual(at(3, 4));
  });
});

describe('an agent that met an operator this one knows nothing of', () => {
  test('is told from one that met this one, or an earlier one that it knows', () => {
    const publication = publish(start(3), compiled(['video']));
    expect(isForeign(publication, { run: 'run-1', seen: 3, met: false })).toBe(false);
    expect(isForeign(publication, { run: 'run-0', seen: 2, met: false })).toBe(false);
    expect(isForeign(publication, { run: '', seen: 0, met: false })).toBe(false);
    expect(isForeign(publication, { run: 'run-x', seen: 3, met: false })).toBe(true);
    expect(isForeign(publication, { run: 'run-x', seen: 9, met: true })).toBe(true);
  });

  test('is not one that has this run’s epoch from a table, and no plan of it yet', () => {
    expect(isForeign(publish(start(3), compiled(['video'])), { run: 'run-0', seen: 3, met: true })).toBe(
      false,
    );
  });

  test('makes all plans go out again above it, and what this run made up rises too', () => {
    const raised = raiseEpoch(publish(start(1), compiled(['video'])), 6);
    expect(revisions(raised)).toEqual([at(1, 6), at(2, 6)]);
    expect([since(raised, 'video'), raised.run]).toEqual([at(1, 6), 'run-1']);
  });

  test('leaves since alone where an earlier leader wrote it down', () => {
    const restored = startPublication(4, new Map([['uid-video', at(7)]]), 'run-2');
    expect(since(raiseEpoch(publish(restored, compiled(['video'])), 6), 'video')).toEqual(at(7));
  });

  test('before the first plan only lifts the epoch', () => {
    expect(revisions(publish(raiseEpoch(start(1), 6), compiled(['video'])))).toEqual([at(1, 6), at(2, 6)]);
  });
});

test('revisions only rise, and a plan that has a domain has a since no newer than itself', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 0, maxLength: 3 });
  const moment = fc.record({ domains: names, nodes: names, rise: fc.boolean() });
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 12 }), (moments) => {
      let last = start();
      for (const { domains, nodes, rise } of moments) {
        const next = publish(rise ? raiseEpoch(last, last.epoch + 1) : last, compiled(domains, nodes));
        if (!next.edge || !next.routing) throw new Error('publish publishes');
        for (const kind of ['edge', 'routing'] as const) {
          const before = last[kind];
          if (!before) continue;
          const step = compareRevisions(next[kind]?.revision ?? before.revision, before.revision);
          expect(step).toBeGreaterThanOrEqual(0);
          if (!rise) expect(step === 0).toBe(before.digest === next[kind]?.digest);
        }
        expect(Object.keys(next.routing.since).sort()).toEqual(domains.map((name) => `uid-${name}`).sort());
        for (const row of Object.values(next.routing.since)) {
          expect(compareRevisions(row, next.edge.revision)).toBeLessThanOrEqual(0);
        }
        last = next;
      }
    }),
    { seed: 20_261_122, numRuns: 60 },
  );
});

import { describe, expect, test } from 'vitest';
import { mergeTables, type NodeTable } from './node-table.ts';
import { planDigest } from './published-plan.ts';
import { compareRevisions, formatRevision, NO_REVISION } from './revision.ts';

const revision = (epoch: number, seq: number) => ({ epoch, seq });

describe('revisions', () => {
  test.each([
    [revision(1, 9), revision(2, 1), -1],
    [revision(2, 1), revision(1, 9), 1],
    [revision(1, 1), revision(1, 2), -1],
    [revision(1, 2), revision(1, 2), 0],
    [NO_REVISION, revision(0, 1), -1],
  ])('%j against %j', (a, b, sign) => {
    expect(Math.sign(compareRevisions(a, b))).toBe(sign);
  });

  test('are printed as epoch.seq', () => {
    expect(formatRevision(revision(3, 57))).toBe('3.57');
  });
});

describe('a node table', () => {
  const row = (node: string, seq: number) => ({ node, acked: revision(1, seq), admitted: true, reason: '' });
  const table = (seq: number, ...rows: NodeTable['rows']): NodeTable => ({ version: revision(1, seq), rows });

  test('keeps the rows that a newer one leaves out: a missing report withdraws nothing', () => {
    const held = table(1, row('bj-1', 1), row('zz-1', 1));
    expect(mergeTables(held, table(2, row('la-1', 5), row('bj-1', 5)))).toEqual(
      table(2, row('bj-1', 5), row('la-1', 5), row('zz-1', 1)),
    );
  });

  test('lets a row fall when the newer one says so', () => {
    expect(mergeTables(table(1, row('bj-1', 9)), table(2, row('bj-1', 4)))).toEqual(table(2, row('bj-1', 4)));
  });
});

describe('a plan’s digest', () => {
  const plan = { zones: [{ name: 'a', ttl: 1 }, { name: 'b' }], defaultRegion: 'us-west' };

  test('does not depend on the order of keys', () => {
    expect(planDigest({ defaultRegion: 'us-west', zones: [{ ttl: 1, name: 'a' }, { name: 'b' }] })).toBe(
      planDigest(plan),
    );
  });

  test.each([
    ['a value', { ...plan, defaultRegion: 'cn-north' }],
    ['the order of a list', { ...plan, zones: [...plan.zones].reverse() }],
    ['a row less', { ...plan, zones: plan.zones.slice(1) }],
    [
      'a row in another section',
      { zones: plan.zones.slice(1), domains: plan.zones.slice(0, 1), defaultRegion: 'us-west' },
    ],
  ])('changes with %s', (_what, other) => {
    expect(planDigest(other)).not.toBe(planDigest(plan));
  });
});

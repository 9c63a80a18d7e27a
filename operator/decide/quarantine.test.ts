/** Which refusals put a form aside, and which do not: by cases, and over random lives of a fleet. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { PlanResource } from '../../contract/stream/plan-resource.ts';
import { Leader, snapshot } from '../testing/resources.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'];
const DOMAIN = snapshot([]).domains[0] ?? expect.fail('no domain');
const { namespace, name } = DOMAIN.metadata;
const REF: PlanResource = { kind: 'CdnDomain', namespace, name };
const KEY = `CdnDomain/${namespace}/${name}`;

/** The plan with the domain in its n-th form is out. */
function publish(leader: Leader, form: number, seq: number): void {
  const spec = { ...DOMAIN.spec, hostname: `form-${form}.example.com` };
  const plans = { edge: { epoch: 1, seq }, 'dns-server': { epoch: 1, seq } };
  const resources = { ...snapshot(NODES), domains: [{ ...DOMAIN, spec }] };
  leader.on({ type: 'published', snapshot: resources, plans, quarantined: new Set([KEY]) });
}

function refuse(leader: Leader, node: string, seq: number, resources = [REF]): void {
  const report = {
    type: 'nack',
    fault: 'Invalid',
    revision: { epoch: 1, seq },
    message: 'no',
    resources,
  } as const;
  leader.on({ type: 'report', role: 'edge', node, report: { ...report, resources: [...resources] } });
}

const aside = (leader: Leader) => leader.state.quarantine.quarantined.get(KEY)?.by;

function fleet(nodes: readonly string[] = NODES): Leader {
  const leader = new Leader();
  leader.snapshot(NODES);
  publish(leader, 1, 1);
  for (const node of nodes) leader.settle(node);
  publish(leader, 2, 2);
  return leader;
}

describe('a form is put aside', () => {
  test('when more than half of the connected agents refused it', () => {
    const leader = fleet(['a', 'b', 'c']);
    refuse(leader, 'a', 2);
    expect(aside(leader)).toBeUndefined();
    refuse(leader, 'b', 2);
    expect(aside(leader)).toBe('edge a');
    expect(leader.effects.filter(({ type }) => type === 'readmit')).toHaveLength(1);
  });

  test('when one refused it and nobody took it in time', () => {
    const leader = fleet();
    refuse(leader, 'a', 2);
    leader.tick(1);
    expect(aside(leader)).toBeUndefined();
    leader.tick(1);
    expect(aside(leader)).toBe('edge a');
  });

  test('and free again when an agent took it after all; then one word does not put it aside', () => {
    const leader = fleet();
    refuse(leader, 'a', 2);
    leader.tick(2);
    leader.ack('b', 1, 2);
    expect(aside(leader)).toBeUndefined();
    expect(leader.effects.filter(({ type }) => type === 'readmit')).toHaveLength(2);
    publish(leader, 2, 4);
    refuse(leader, 'a', 4);
    leader.tick(10);
    expect(aside(leader)).toBeUndefined();
  });
});

describe('a form stays in force', () => {
  test('when another agent took it, whatever one says', () => {
    const leader = fleet();
    leader.ack('b', 1, 2);
    refuse(leader, 'a', 2);
    leader.tick(10);
    expect(aside(leader)).toBeUndefined();
  });

  test('when the refusal is of another plan than the newest, or names nothing, or what is not there', () => {
    const leader = fleet(['a']);
    refuse(leader, 'a', 1);
    refuse(leader, 'a', 3);
    refuse(leader, 'a', 2, []);
    refuse(leader, 'a', 2, [{ ...REF, name: 'other' }]);
    leader.tick(10);
    expect(leader.state.quarantine.quarantined.size).toBe(0);
  });

  test('when its owner changed it before', () => {
    const leader = fleet();
    refuse(leader, 'a', 2);
    publish(leader, 3, 3);
    leader.tick(10);
    expect(aside(leader)).toBeUndefined();
  });
});

test('over random lives: what somebody serves is never put aside, and what most refuse always is', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('ack' as const), node: fc.constantFrom(...NODES) }),
    fc.record({ type: fc.constant('refuse' as const), node: fc.constantFrom(...NODES) }),
    fc.record({ type: fc.constant('disconnect' as const), node: fc.constantFrom(...NODES) }),
    fc.record({ type: fc.constant('change' as const) }),
    fc.record({ type: fc.constant('tick' as const) }),
  );
  const life = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const leader = fleet();
    let [form, seq] = [2, 2];
    let refusing = new Set<string>();
    let taken = false;
    for (const each of steps) {
      if (each.type === 'change') {
        [form, seq, refusing, taken] = [form + 1, seq + 1, new Set(), false];
        publish(leader, form, seq);
      } else if (each.type === 'tick') leader.tick(1);
      else if (each.type === 'disconnect') leader.disconnect(each.node);
      else if (each.type === 'ack') {
        leader.ack(each.node, 1, seq);
        taken = true;
      } else {
        refusing.add(each.node);
        refuse(leader, each.node, seq);
      }
      const spec = partDigest({ ...DOMAIN.spec, hostname: `form-${form}.example.com` });
      const isAside = leader.state.quarantine.quarantined.get(KEY)?.spec === spec;
      if (taken) expect(isAside).toBe(false);
      if (!taken && refusing.size > NODES.length / 2) expect(isAside).toBe(true);
      if (refusing.size === 0) expect(isAside).toBe(false);
    }
  });
  fc.assert(life, { seed: 20_261_122, numRuns: 300 });
});

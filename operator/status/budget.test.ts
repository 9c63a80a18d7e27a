/** Who is written first, and how many at once. */
import { expect, test } from 'vitest';
import type { Condition } from '../../contract/kinds/conditions.ts';
import { fullBudget, refilled, urgency, withoutDeferred } from './budget.ts';
import type { StatusRecord } from './record.ts';

const ready = (status: Condition['status']): Condition => ({
  type: 'Ready',
  status,
  reason: 'Ready',
  message: '',
  lastTransitionTime: '2026-11-22T04:00:00Z',
});

function domain(
  name: string,
  generation = 1,
  status: Condition['status'] = 'True',
): StatusRecord<'CdnDomain'> {
  const ref = { kind: 'CdnDomain' as const, namespace: 'demo', name };
  const firstSeen = '2026-11-22T04:00:00Z';
  return { ref, uid: `uid-${name}`, generation, firstSeen, status: { conditions: [ready(status)] } };
}

function node(mustRevalidate: boolean, seq = 1): StatusRecord<'EdgeNode'> {
  const ref = { kind: 'EdgeNode' as const, namespace: '', name: 'a' };
  const status = { acked: { epoch: 1, seq }, mustRevalidate, conditions: [ready('True')] };
  return { ref, uid: 'uid-a', generation: 1, firstSeen: '2026-11-22T04:00:00Z', status };
}

test('what must survive goes first, then what follows a change of spec, then what turned, then the rest', () => {
  expect(urgency(node(true), node(false))).toBe(0);
  expect(urgency(domain('a', 2), domain('a', 1))).toBe(2);
  expect(urgency(domain('a'), undefined)).toBe(2);
  expect(urgency(domain('a', 1, 'False'), domain('a'))).toBe(3);
  expect(urgency(node(false, 2), node(false, 1))).toBe(4);
});

test('a quiet time saves up some, and no more', () => {
  const spent = { ...fullBudget(0), left: 0 };
  expect(refilled(spent, 1_000).left).toBe(20);
  expect(refilled(spent, 60_000).left).toBe(fullBudget(0).left);
});

test('what waits stays as it was', () => {
  const [old, newer, fresh] = [domain('a', 1), domain('a', 2), domain('b')];
  const after = new Map([
    ['a', newer],
    ['b', fresh],
  ]);
  expect(withoutDeferred(new Map([['a', old]]), after, [])).toBe(after);
  expect(withoutDeferred(new Map([['a', old]]), after, ['a', 'b'])).toEqual(new Map([['a', old]]));
});

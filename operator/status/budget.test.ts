/** Who is written first, and how many at once. */
import { expect, test } from 'vitest';
import type { Condition } from '../../contract/kinds/conditions.ts';
import { fullBudget, refilled, spend, urgency, withoutDeferred } from './budget.ts';
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

function node(
  mustRevalidate: boolean,
  seq = 1,
  isReady: Condition = ready('True'),
): StatusRecord<'EdgeNode'> {
  const ref = { kind: 'EdgeNode' as const, namespace: '', name: 'a' };
  const status = { acked: { epoch: 1, seq }, mustRevalidate, conditions: [isReady] };
  return { ref, uid: 'uid-a', generation: 1, firstSeen: '2026-11-22T04:00:00Z', status };
}

test('what must survive goes first, then what follows a change of spec, then what turned, then the rest', () => {
  expect(urgency(node(true), node(false))).toBe(0);
  expect(urgency(domain('a', 2), domain('a', 1))).toBe(2);
  expect(urgency(domain('a'), undefined)).toBe(2);
  expect(urgency(domain('a', 1, 'False'), domain('a'))).toBe(3);
  expect(urgency(node(false, 1, ready('False')), node(false))).toBe(3);
  expect(urgency(node(false, 2), node(false, 1))).toBe(5);
});

test('a node that stays behind comes after all news, and before mere revisions', () => {
  const behind = node(false, 1, { ...ready('False'), reason: 'Behind' });
  expect(urgency(behind, node(false))).toBe(4);
  // It has it: that is no news either.
  expect(urgency(node(false, 2), behind)).toBe(5);
  // That something else is the matter with it now is.
  const gone = node(false, 1, { ...ready('False'), type: 'Connected', reason: 'NotConnected' });
  expect(urgency(gone, behind)).toBe(3);
});

test('a quiet time saves up some, and no more', () => {
  const spent = { news: 0, revisions: 0, at: 0 };
  expect(refilled(spent, 1_000)).toEqual({ news: 50, revisions: 3, at: 1_000 });
  expect(refilled(spent, 60_000)).toEqual(fullBudget(60_000));
});

test('mere revisions are paid from a purse of their own', () => {
  const rows = [domain('a'), domain('b'), domain('c')];
  const budget = { news: 2.5, revisions: 1, at: 0 };
  const { chosen, left } = spend(
    budget,
    new Map([
      [5, rows],
      [3, rows],
    ]),
  );
  expect([...chosen]).toEqual([
    [3, rows.slice(0, 2)],
    [5, rows.slice(0, 1)],
  ]);
  expect(left).toEqual({ news: 0.5, revisions: 0, at: 0 });
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

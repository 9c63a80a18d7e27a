/** A plan that is on its way makes nobody late. */
import { expect, test } from 'vitest';
import { DuePlan } from './due-plan.ts';

const plan = (seq: number) => ({ epoch: 1, seq });

test('the first plan is due at once, each later one when it has been out for five seconds', () => {
  const due = new DuePlan();
  expect(due.revision).toBeUndefined();
  due.published(plan(1), 0);
  expect(due.revision).toEqual(plan(1));
  due.published(plan(2), 10_000);
  due.published(plan(3), 12_000);
  expect(due.advance(14_999)).toBe(false);
  expect(due.advance(15_000)).toBe(true);
  expect(due.revision).toEqual(plan(2));
  expect(due.advance(60_000)).toBe(true);
  expect(due.revision).toEqual(plan(3));
  expect(due.advance(61_000)).toBe(false);
});

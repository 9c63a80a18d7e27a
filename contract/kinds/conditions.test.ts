import { expect, test } from 'vitest';
import { type Condition, setCondition } from './conditions.ts';

const before = '2026-11-22T04:00:00Z';
const now = '2026-11-22T05:00:00Z';
const ready = (change: Partial<Condition> = {}): Condition => ({
  type: 'Ready',
  status: 'False',
  reason: 'NotProgrammed',
  message: 'no node serves it yet',
  lastTransitionTime: before,
  ...change,
});
const accepted = ready({ type: 'Accepted', status: 'True', reason: 'Valid' });

const verdict = (change: Partial<Condition>) => {
  const { lastTransitionTime: _time, ...rest } = ready(change);
  return rest;
};

test('a new condition comes last, with the time of now', () => {
  expect(setCondition([accepted], verdict({}), now)).toEqual([accepted, ready({ lastTransitionTime: now })]);
});

test('another reason or generation is no transition', () => {
  const change = { reason: 'NodesMissing', observedGeneration: 4 };
  expect(setCondition([ready(), accepted], verdict(change), now)).toEqual([ready(change), accepted]);
});

test('another status is one', () => {
  expect(setCondition([ready()], verdict({ status: 'True' }), now)).toEqual([
    ready({ status: 'True', lastTransitionTime: now }),
  ]);
});

test('the rows that were given stay as they are', () => {
  const rows = [ready()];
  setCondition(rows, verdict({ status: 'True' }), now);
  expect(rows).toEqual([ready()]);
});

import { expect, test } from 'vitest';
import type { Condition } from '../../contract/kinds/conditions.ts';
import { announcements } from './announcements.ts';

const row = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: `${type} is ${status}`,
  lastTransitionTime: '2026-11-22T04:00:00Z',
});
const said = (before: Condition[], now: Condition[]) =>
  announcements(before, now).map(({ type, reason }) => `${type} ${reason}`);

test('a domain from its first visit to Ready', () => {
  const waiting = [row('Accepted', 'True', 'Accepted'), row('Ready', 'False', 'WaitingForNodes')];
  expect(said([], waiting)).toEqual([]);
  const ready = [row('Accepted', 'True', 'Accepted'), row('Ready', 'True', 'Ready')];
  expect(said(waiting, ready)).toEqual(['Normal Ready']);
  expect(said(ready, ready)).toEqual([]);
});

test('a mistake, another one, and its mending', () => {
  const bad = [row('Accepted', 'False', 'Invalid')];
  expect(said([], bad)).toEqual(['Warning Invalid']);
  const other = [row('Accepted', 'False', 'Conflict')];
  expect(said([row('Accepted', 'True', 'Accepted')], bad)).toEqual(['Warning Invalid']);
  expect(said(bad, other)).toEqual(['Warning Conflict']);
  expect(said(other, [row('Accepted', 'True', 'Accepted')])).toEqual(['Normal Accepted']);
});

test('what was Ready and is no more is a warning; why it still is not is no news', () => {
  const lost = [row('Ready', 'False', 'NotConnected')];
  expect(said([row('Ready', 'True', 'Ready')], lost)).toEqual(['Warning NotConnected']);
  expect(said(lost, [row('Ready', 'False', 'Unhealthy')])).toEqual([]);
});

test('a job says once how it ended', () => {
  const job = (complete: Condition['status'], failed: Condition['status'], reason: string) => [
    row('Complete', complete, reason),
    row('Failed', failed, reason),
    row('Ready', complete, reason),
  ];
  const running = job('False', 'False', 'InProgress');
  expect(said([], running)).toEqual([]);
  expect(said(running, job('True', 'False', 'AllNodesAcked'))).toEqual(['Normal AllNodesAcked']);
  expect(said(running, job('False', 'True', 'DeadlineExceeded'))).toEqual(['Warning DeadlineExceeded']);
});

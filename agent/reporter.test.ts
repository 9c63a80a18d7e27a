/** The queue of reports: what replaces what. */
import { expect, test } from 'vitest';
import type { Report } from '../contract/stream/messages.ts';
import { enqueue } from './reporter.ts';

const ack = (seq: number): Report => ({ type: 'ack', revision: { epoch: 1, seq } });
const nack: Report = { type: 'nack', revision: { epoch: 1, seq: 2 }, fault: 'Local', message: 'disk full' };
const done = (uid: string): Report => ({ type: 'done', uid, objects: 1, durationMs: 1 });
const failed: Report = { type: 'failed', uid: 'x', message: 'disk full' };
const health = (node: string): Report => ({ type: 'health', nodes: [{ node, addresses: [] }] });

test.each<[string, Report[], Report[]]>([
  ['a newer verdict on a plan replaces the elder', [ack(1), nack, ack(3)], [ack(3)]],
  ['a newer view of health replaces the elder', [health('a'), ack(1), health('b')], [ack(1), health('b')]],
  ['what commands came to is all kept', [done('a'), failed, done('a')], [done('a'), failed, done('a')]],
])('%s', (_what, reports, queue) => {
  expect(reports.reduce(enqueue, [] as Report[])).toEqual(queue);
});

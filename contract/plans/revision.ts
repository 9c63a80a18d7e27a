/** `(epoch, seq)` of a published plan: epoch rises with each leader, seq with each plan. Agents refuse a lower one. */
import { z } from 'zod';

const counter = z
  .int()
  .min(0)
  .max(2 ** 52);

export const revision = z.strictObject({
  epoch: counter.describe('Rises with each leader.'),
  seq: counter.describe('Rises with each published plan.'),
});

export type Revision = z.infer<typeof revision>;

/** What an agent holds before its first plan. */
export const NO_REVISION: Revision = { epoch: 0, seq: 0 };

/** Negative when `a` is older than `b`, positive when it is newer, 0 when they are equal. */
export function compareRevisions(a: Revision, b: Revision): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

export function formatRevision({ epoch, seq }: Revision): string {
  return `${epoch}.${seq}`;
}

/** What the thread with the plan and a thread that answers in batches tell each other. */
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { BY_DOMAIN, FastTables, Slot } from '../fast/fast-path.ts';

export interface BatchJob {
  fd: number;
  version: 4 | 6;
  /** Raised after each message that was posted: a look at it is cheaper than one at the port. */
  mail: Int32Array;
}

export type ToBatch =
  | { kind: 'tables'; tables: FastTables | undefined; rateLimit: RoutingPlan['rateLimit'] }
  | { kind: 'slot'; key: number; slot: Slot | typeof BY_DOMAIN }
  | { kind: 'reset' }
  | { kind: 'stop' };

export type FromBatch =
  /** It listens; sent again after each `tables`, when it does not count for the former ones any more. */
  | { kind: 'using' }
  /** Queries that it leaves to the ordinary path, each with its sender as the kernel named it. */
  | { kind: 'asks'; asks: { name: Uint8Array; message: Uint8Array }[] };

/** What the thread with the plan and a thread that answers in batches tell each other. */

import type { FastTables } from '../fast/fast-path.ts';
import type { BY_DOMAIN, NewSignature, Slot, Slots } from '../fast/slot.ts';
import type { Limits } from '../rate-limit/gate.ts';
import type { BatchSocket, Sender } from './batch-memory.ts';

export interface BatchJob {
  fd: number;
  socket: BatchSocket;
  shared: Int32Array;
}

/** What both threads count, in a job's shared memory. */
export const SHARED = {
  /** Raised after each message that was posted: a look at it is cheaper than one at the port. */
  MAIL: 0,
  /** Queries that were left to the ordinary path and are not answered yet. */
  WAITING: 1,
  /** Those that were dropped because too many waited. */
  SHED: 2,
} as const;

export function newShared(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * Object.keys(SHARED).length));
}

export type ToBatch =
  | { kind: 'tables'; tables: FastTables | undefined; slots: Slots; limits: Limits | undefined }
  | { kind: 'slot'; key: number; slot: Slot | typeof BY_DOMAIN }
  | { kind: 'signature'; key: number; signature: NewSignature }
  | { kind: 'reset'; slots: Slots }
  | { kind: 'cookieSecret'; secret: Uint8Array }
  | { kind: 'stop' };

export interface Ask {
  sender: Sender;
  message: Uint8Array;
}

export type FromBatch =
  /** It listens; sent again after each `tables`, when it does not count for the former ones any more. */
  | { kind: 'using' }
  /** Queries that it leaves to the ordinary path, each with its sender as the kernel named it. */
  | { kind: 'asks'; asks: Ask[] };

/**
 * Load: what is left of a node's weight. An overloaded node gives up the part that is too much, and gets it back in
 * small steps; between the marks nothing moves. A node that comes back from the dead starts slowly. Pure.
 *
 *     utilisation   0 ────── RAISE_BELOW ────────────── LOWER_ABOVE ────── 1
 *     weight        grows a little       stays as it is    falls towards AIM
 */
import type { Report } from '../../contract/stream/messages.ts';

export type LoadReport = Extract<Report, { type: 'load' }>;

/** What a node can carry; what is not said does not count. */
export interface Capacity {
  bitsPerSecond: number | undefined;
  connections: number | undefined;
}

export interface LoadState {
  /** 0 to 1, of the weight in its spec. */
  weight: number;
  /** The last change: what it did is seen only when caches have asked again. */
  changedAt: number;
}

export const UNLOADED: LoadState = { weight: 1, changedAt: 0 };

export const LOWER_ABOVE = 0.85;
export const RAISE_BELOW = 0.65;
const AIM = 0.75;
/** Wider than one step makes of it: a step up from below the lower mark never crosses the upper one. */
const STEP_UP = 0.1;
/** A node that is overloaded by something else keeps a part, or nobody would see that it recovered. */
const LEAST = 0.1;
/** Longer than the usual TTL: a node must not be lowered twice for one cause. */
const SETTLE_DOWN_MS = 90_000;
const SETTLE_UP_MS = 180_000;

/** How near the node is to its limits: the nearest counts. */
export function utilisation(load: LoadReport, capacity: Capacity): number {
  const share = (used: number, limit: number | undefined) => (limit === undefined ? 0 : used / limit);
  return Math.max(
    load.cpu,
    share(load.bitsPerSecond, capacity.bitsPerSecond),
    share(load.connections, capacity.connections),
  );
}

export function afterLoad(state: LoadState, used: number, now: number): LoadState {
  const since = now - state.changedAt;
  if (used > LOWER_ABOVE && since >= SETTLE_DOWN_MS) return changed(state, state.weight * (AIM / used), now);
  if (used < RAISE_BELOW && since >= SETTLE_UP_MS) return changed(state, state.weight * (1 + STEP_UP), now);
  return state;
}

function changed(state: LoadState, wanted: number, now: number): LoadState {
  const weight = Math.round(Math.min(1, Math.max(LEAST, wanted)) * 100) / 100;
  return weight === state.weight ? state : { weight, changedAt: now };
}

/** A node that is back fills its cache before it gets its whole share: a quarter more every half minute. */
const RAMP_STEPS = 4;
const RAMP_STEP_MS = 30_000;

/** What a slow start leaves of the weight; `recoveredAt` is nothing for a node that is down. */
export function rampOf(recoveredAt: number | undefined, now: number): number {
  if (recoveredAt === undefined) return 1 / RAMP_STEPS;
  const steps = Math.floor((now - recoveredAt) / RAMP_STEP_MS) + 1;
  return Math.min(1, steps / RAMP_STEPS);
}

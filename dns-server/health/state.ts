/**
 * What is known of one address, from what its probes met. Pure. As in gdnsd, failures add up until a run of successes
 * clears them, so that an address that fails every other probe goes down, and comes back only by a run of successes.
 *
 *     unknown (counts as up) ──success──> up ──failureThreshold failures, not cleared──> down
 *                                          ^─────successThreshold successes in a row───┘
 */
export interface AddressHealth {
  healthy: boolean;
  /** false until the first success, or until enough failures. */
  known: boolean;
  /** While up: failures that no run of successes cleared. */
  failures: number;
  /** Successes in a row, while they count for anything. */
  successes: number;
  /** What the last probe met. */
  detail: string;
}

export interface Observation {
  ok: boolean;
  /** It answers, and says itself that it goes: a fact, for which no second probe is needed. */
  leaves?: true;
  detail: string;
}

export interface Thresholds {
  failureThreshold: number;
  successThreshold: number;
}

const CALM = { failures: 0, successes: 0 };

export const UNKNOWN: AddressHealth = { healthy: true, known: false, ...CALM, detail: 'not probed yet' };

export function observe(
  state: AddressHealth,
  observation: Observation,
  thresholds: Thresholds,
): AddressHealth {
  return state.healthy ? whileUp(state, observation, thresholds) : whileDown(state, observation, thresholds);
}

function whileUp(
  state: AddressHealth,
  { ok, leaves, detail }: Observation,
  thresholds: Thresholds,
): AddressHealth {
  if (!ok) {
    const failures = state.failures + 1;
    if (leaves || failures >= thresholds.failureThreshold)
      return { healthy: false, known: true, ...CALM, detail };
    return { ...state, failures, successes: 0, detail };
  }
  const successes = state.successes + 1;
  const cleared = state.failures === 0 || successes >= thresholds.successThreshold;
  return { ...state, known: true, ...(cleared ? CALM : { successes }), detail };
}

function whileDown(state: AddressHealth, { ok, detail }: Observation, thresholds: Thresholds): AddressHealth {
  const successes = ok ? state.successes + 1 : 0;
  if (successes >= thresholds.successThreshold) return { healthy: true, known: true, ...CALM, detail };
  return { ...state, successes, detail };
}

/** Milliseconds until the state can turn, if each probe from now on speaks against it. */
export function turnMs(
  { healthy, failures, successes }: AddressHealth,
  { failureThreshold, successThreshold, intervalMs }: Thresholds & { intervalMs: number },
): number {
  return intervalMs * (healthy ? failureThreshold - failures : successThreshold - successes);
}

/**
 * The states after the first round of a server that starts. Its first look decides, as in gdnsd: a node that died
 * while nobody looked is out at once. But where nothing at all was reached, the fault is more likely here: then the
 * failures count as any others.
 */
export function firstRound(
  results: ReadonlyMap<string, { observation: Observation; thresholds: Thresholds }>,
): Map<string, AddressHealth> {
  const reached = [...results.values()].some(({ observation }) => observation.ok);
  return new Map(
    [...results].map(([key, { observation, thresholds }]) => {
      const { ok, detail } = observation;
      if (!reached) return [key, observe(UNKNOWN, observation, thresholds)];
      return [key, { healthy: ok, known: true, ...CALM, detail }];
    }),
  );
}

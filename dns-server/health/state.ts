/**
 * What is known of one address, from what its probes met. Pure.
 *
 *     unknown (counts as up) ──success──> up ──failureThreshold failures in a row──> down
 *                                          ^─────successThreshold successes in a row───┘
 */
export interface AddressHealth {
  healthy: boolean;
  /** false until the first success, or until enough failures. */
  known: boolean;
  /** Results in a row that speak against the state. */
  against: number;
  /** What the last probe met. */
  detail: string;
}

export interface Observation {
  ok: boolean;
  detail: string;
}

export interface Thresholds {
  failureThreshold: number;
  successThreshold: number;
}

export const UNKNOWN: AddressHealth = { healthy: true, known: false, against: 0, detail: 'not probed yet' };

export function observe(
  state: AddressHealth,
  { ok, detail }: Observation,
  { failureThreshold, successThreshold }: Thresholds,
): AddressHealth {
  if (ok === state.healthy) return { healthy: ok, known: state.known || ok, against: 0, detail };
  const against = state.against + 1;
  const threshold = ok ? successThreshold : failureThreshold;
  if (against < threshold) return { ...state, against, detail };
  return { healthy: ok, known: true, against: 0, detail };
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
      return [key, { healthy: ok, known: true, against: 0, detail }];
    }),
  );
}

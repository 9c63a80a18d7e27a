/**
 * What this edge says of itself on its serving port. It says no while it knows nothing to serve, while it leaves, and
 * for a short while at its start: there the operator may have purges for it that it missed (state.md). With no
 * operator in sight it serves what it has after ten seconds.
 */
import { LEAVING_HEADER } from '../../contract/health-answer.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Answer, textAnswer } from '../answer/answer.ts';

export const HEALTH_PATH = '/.weir/health';

const WAIT_FOR_OPERATOR_MS = 10_000;
/** After the stream is open, the first messages (plan, commands) follow at once; this long a silence is their end. */
const SETTLED_AFTER_MS = 150;
const LOOK_EVERY_MS = 50;
const LEAVING = 'leaving: serves on until nobody is sent here any more';

export interface HealthParts {
  clock: Clock;
  hasPlan: () => boolean;
  connected: () => boolean;
}

export interface Health {
  answer(): Answer;
  /** Why it would say no. */
  reason(): string | undefined;
  /** Something of the operator's is being worked off. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** It leaves: no, from here on. */
  drain(): void;
}

/** `reason`: why it says no. */
export function healthAnswer(reason: string | undefined): Answer {
  if (reason === undefined) return textAnswer(200, 'ok');
  return textAnswer(503, reason, reason === LEAVING ? { headers: [[LEAVING_HEADER, '?1']] } : {});
}

export function createHealth({ clock, hasPlan, connected }: HealthParts): Health {
  const begin = clock.now();
  let working = 0;
  /** Since when the stream has been open with nothing to do. */
  let quietSince: number | undefined;
  let settled = false;
  let draining = false;

  const stopLooking = clock.every(LOOK_EVERY_MS, () => {
    const now = clock.now();
    const wasConnected = quietSince !== undefined;
    if (working > 0) quietSince = undefined;
    else if (connected()) quietSince ??= now;
    // An operator that was there and left again has said what it had to say, as far as we will hear.
    const heard =
      quietSince !== undefined && (now - quietSince >= SETTLED_AFTER_MS || (wasConnected && !connected()));
    settled = hasPlan() && (heard || now - begin >= WAIT_FOR_OPERATOR_MS);
    if (settled) stopLooking();
  });

  function reason(): string | undefined {
    if (draining) return LEAVING;
    if (!hasPlan()) return 'no plan yet: none on disk, and none has come from the operator';
    return settled ? undefined : 'starting: waiting for the operator, for ten seconds at most';
  }

  return {
    reason,
    answer: () => healthAnswer(reason()),
    async during(work) {
      working++;
      try {
        return await work();
      } finally {
        working--;
      }
    },
    drain() {
      draining = true;
      stopLooking();
    },
  };
}

/** A condition before it has a time: what is true, why in one word, and why for people. */
import { type Condition, setCondition } from '../../contract/kinds/conditions.ts';
import { formatRef } from '../../contract/kinds/metadata.ts';
import type { Problem } from '../../contract/problem.ts';
import type { Claim } from '../admit/snapshot.ts';

export type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

export function holds(type: string, reason: string, message: string): Verdict {
  return { type, status: 'True', reason, message };
}

export function fails(type: string, reason: string, message: string): Verdict {
  return { type, status: 'False', reason, message };
}

export function unknown(type: string, reason: string, message: string): Verdict {
  return { type, status: 'Unknown', reason, message };
}

/** True with the reason of success, or the first of the conditions that does not hold. */
export function ready(parts: readonly Verdict[], message: string): Verdict {
  const missing = parts.find(({ status }) => status !== 'True');
  return missing ? fails('Ready', missing.reason, missing.message) : holds('Ready', 'Ready', message);
}

/** Accepted, or all that is wrong with the manifest as it stands now. Claims of others that lost are told to who won. */
export function accepted(
  problems: readonly Problem[],
  inForce: boolean,
  contested: readonly Claim[] = [],
): Verdict {
  const [first] = problems;
  if (!first)
    return holds('Accepted', 'Accepted', ['the manifest is in force', ...claimsText(contested)].join('; '));
  const rest = inForce ? '; the last accepted form stays in force' : '';
  const texts = problems.map(({ path, value, message }) =>
    [path, value, message].filter((part) => part !== undefined && part !== '').join(': '),
  );
  return fails('Accepted', first.reason, `${texts.join('; ')}${rest}`.slice(0, 4_096));
}

const CLAIMS_SHOWN = 3;

/** However many claim it, the message stays short. */
function claimsText(claims: readonly Claim[]): string[] {
  if (claims.length === 0) return [];
  const shown = claims.slice(0, CLAIMS_SHOWN).map(({ hostname, by }) => `${hostname} by ${formatRef(by)}`);
  const rest = claims.length - shown.length;
  return [`also claimed, in vain: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`];
}

/** What kstatus (Flux, Helm) tells a failure by: without it a tool waits for Ready until its own deadline. */
function stalled(verdicts: readonly Verdict[]): Verdict {
  const cause = verdicts.find(
    ({ type, status }) =>
      (type === 'Accepted' && status === 'False') || (type === 'Failed' && status === 'True'),
  );
  return cause
    ? holds('Stalled', cause.reason, cause.message)
    : fails('Stalled', 'NotStalled', 'nobody has to mend anything');
}

/** The rows after these verdicts: a transition's time moves only when the status does. `now` is RFC 3339. */
export function toConditions(
  before: readonly Condition[] | undefined,
  verdicts: readonly Verdict[],
  observedGeneration: number,
  now: string,
): Condition[] {
  return [...verdicts, stalled(verdicts)].reduce<Condition[]>(
    (rows, verdict) => setCondition(rows, { ...verdict, observedGeneration }, now),
    [...(before ?? [])],
  );
}

/** A manifest that was refused and never accepted before: why. Pure. */
import type { KindName } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { Problem } from '../../contract/problem.ts';
import { resourceKey } from '../admit/snapshot.ts';
import type { StatusInput } from './around.ts';
import { refusedJobVerdicts } from './job-status.ts';
import { quarantinedStatus, type StatusRecord, unlessEqual } from './record.ts';
import { accepted, fails, toConditions, type Verdict } from './verdict.ts';

export function refusedRecord(
  ref: ObjectRef,
  problems: readonly Problem[],
  { admission, build, before, now }: StatusInput,
): StatusRecord {
  const key = resourceKey(ref);
  const old = before.get(key);
  const { uid, generation } = admission.read?.documents.get(key)?.server ?? { uid: '', generation: 1 };
  const at = new Date(now).toISOString();
  const acceptance = accepted(problems, false);
  const verdicts =
    ref.kind === 'PurgeJob' ? refusedJobVerdicts(acceptance) : refusedVerdicts(ref.kind, acceptance);
  const conditions = toConditions(old?.status.conditions, verdicts, generation, at);
  const refused = quarantinedStatus(admission.quarantined.get(key), build);
  const fresh = {
    ref,
    uid,
    generation,
    firstSeen: old?.firstSeen ?? at,
    status: { observedGeneration: generation, ...refused, conditions },
  };
  return unlessEqual(fresh, old);
}

/** Every condition of the kind is there from the first visit on (Kubernetes API conventions). */
function refusedVerdicts(kind: KindName, acceptance: Verdict): Verdict[] {
  const types = KINDS[kind].conditionTypes.filter((type) => type !== 'Stalled');
  return types.map((type) =>
    type === acceptance.type ? acceptance : fails(type, acceptance.reason, acceptance.message),
  );
}

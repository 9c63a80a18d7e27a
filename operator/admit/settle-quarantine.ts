/** Forms that agents refused, among those that want to be in force. Pure. */
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { Problem } from '../../contract/problem.ts';
import type { Contender } from './contenders.ts';
import type { Accepted, Admission, Experience } from './snapshot.ts';

/** Forms that agents refused are not accepted, however right they look here: the last one that agents took is in force. */
export function settleQuarantine(
  contenders: Map<string, Contender>,
  accepted: Accepted,
  experience: Experience,
  problems: Problem[],
): Admission['quarantined'] {
  const standing = [...experience.quarantined].filter(([key, { spec }]) => {
    const form = contenders.get(key)?.form;
    return form?.current && partDigest(form.resource.spec) === spec;
  });
  for (const [key, { ref, by, message }] of standing) {
    const contender = contenders.get(key);
    if (!contender) continue;
    const text = `${by} can not take it: ${message}`;
    if (contender.document) {
      const { file } = contender.document;
      const line = contender.document.line([]);
      problems.push({ file, line, ref, path: '', reason: 'Quarantined', message: text });
    }
    const before = accepted.resources.get(key);
    const isAccepted =
      before && partDigest(before.resource.spec) === partDigest(contender.form.resource.spec);
    const last = isAccepted ? before.fallback : before?.resource;
    if (!before || !last) contenders.delete(key);
    else {
      const { fallback: _, ...kept } = before;
      contenders.set(key, { ...contender, form: { ...kept, resource: last, current: false } });
    }
  }
  return new Map(standing);
}

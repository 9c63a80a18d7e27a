/** What each domain of a plan may take of the disk tier, by weir.yaml. The first quota that names it counts. Pure. */
import type { DiskQuota } from '../../contract/config/edge-settings.ts';
import type { ServedPlan } from './served-plan.ts';

/** Bytes by the domain's uid; a domain that is not there has no limit of its own. */
export function diskQuotas(
  quotas: readonly DiskQuota[],
  { byUid }: Pick<ServedPlan, 'byUid'>,
  diskBytes: number,
): Map<string, number> {
  const limits = new Map<string, number>();
  if (quotas.length === 0) return limits;
  for (const { uid, label } of byUid.values()) {
    const [namespace] = label.split('/');
    const quota = quotas.find(({ domains }) => domains.includes(label) || domains.includes(`${namespace}/*`));
    if (quota !== undefined) limits.set(uid, Math.floor((diskBytes * quota.percent) / 100));
  }
  return limits;
}

/** The status of one resource, by its kind. Pure. */
import type { Condition } from '../../contract/kinds/conditions.ts';
import type { KindName } from '../../contract/kinds/kind.ts';
import type {
  CdnDomain,
  Certificate,
  EdgeNode,
  PurgeJob,
  Resource,
  StatusOf,
} from '../../contract/kinds/kinds.ts';
import { type Admission, isKind } from '../admit/snapshot.ts';
import { certificateHolder, judgeDomain } from '../certificates/holdings.ts';
import type { NodeState } from '../decide/state.ts';
import type { Around, Looked } from './around.ts';
import { certificateFacts, certificateVerdicts } from './certificate-status.ts';
import { domainVerdicts } from './domain-status.ts';
import { jobCounts, jobVerdicts } from './job-status.ts';
import { nodeVerdicts, revisionTold, unhealthyAddresses } from './node-status.ts';
import { quarantinedStatus, statusOf } from './record.ts';
import { fails, toConditions, type Verdict } from './verdict.ts';

/** What every kind's status has. */
interface Frame {
  observedGeneration: number;
  conditions: (verdicts: readonly Verdict[]) => Condition[];
}

export function content(looked: Looked, around: Around): StatusOf[KindName] {
  const { resource } = looked.form;
  const { old, generation } = looked;
  const at = new Date(around.now).toISOString();
  const frame: Frame = {
    observedGeneration: generation,
    conditions: (verdicts) => toConditions(old?.status.conditions, verdicts, generation, at),
  };
  if (isKind(resource, 'CdnDomain')) return domainStatus(resource, looked, around, frame);
  if (isKind(resource, 'EdgeNode')) return nodeStatus(resource, looked, around, frame);
  if (isKind(resource, 'Certificate')) return certificateStatus(resource, looked, around, frame);
  return isKind(resource, 'PurgeJob') ? jobStatus(resource, looked, around, frame) : unknownKind(resource);
}

function domainStatus(
  resource: CdnDomain,
  { key, old, acceptance, generation }: Looked,
  { admission, build, publication, fleet, cname: cnameOf, holdings, now }: Around,
  { observedGeneration, conditions }: Frame,
): StatusOf['CdnDomain'] {
  const { uid } = resource.metadata;
  const history = publication.history.get(uid);
  const { verdicts, cname } = domainVerdicts({
    acceptance,
    generation,
    fleet: history && {
      programmed: fleet.programmed(history.changed),
      routed: fleet.routed(history.routed),
    },
    cname: cnameOf(uid),
    certificate: judgeDomain(resource, holdings, now),
    before: statusOf(old, 'CdnDomain'),
  });
  return {
    observedGeneration,
    ...(cname !== undefined && { cname }),
    ...(history && { since: history.since }),
    ...quarantinedStatus(admission.quarantined.get(key), build),
    conditions: conditions(verdicts),
  };
}

function nodeStatus(
  { metadata: { name }, spec: { schedulable } }: EdgeNode,
  { key, acceptance }: Looked,
  { admission, build, state, health, due }: Around,
  { observedGeneration, conditions }: Frame,
): StatusOf['EdgeNode'] {
  const node = state.nodes.get(name);
  const acked = revisionTold(node);
  const views = health.viewsOf(name);
  const unhealthy = unhealthyAddresses(views);
  return {
    observedGeneration,
    ...(acked && { acked }),
    mustRevalidate: node?.revalidation !== undefined,
    ...(unhealthy.length > 0 && { unhealthy }),
    ...(node && node.load.weight < 1 && { weightPercent: Math.round(node.load.weight * 100) }),
    ...forcedStatus(node),
    ...quarantinedStatus(admission.quarantined.get(key), build),
    conditions: conditions(nodeVerdicts({ node, acceptance, schedulable, due, views })),
  };
}

function forcedStatus(node: NodeState | undefined): Pick<StatusOf['EdgeNode'], 'forced'> {
  if (!node?.forced) return {};
  const { state, until } = node.forced;
  return { forced: { state, ...(until !== undefined && { until: new Date(until).toISOString() }) } };
}

function certificateStatus(
  { metadata: { namespace, name } }: Certificate,
  { acceptance }: Looked,
  { holdings, now }: Around,
  { observedGeneration, conditions }: Frame,
): StatusOf['Certificate'] {
  const holding = holdings.get(certificateHolder(namespace, name));
  return {
    observedGeneration,
    ...certificateFacts(holding),
    conditions: conditions(certificateVerdicts(acceptance, holding, now)),
  };
}

function jobStatus(
  { metadata: { uid } }: PurgeJob,
  { old }: Looked,
  { admission, state }: Around,
  { observedGeneration, conditions }: Frame,
): StatusOf['PurgeJob'] {
  const job = state.jobs.get(uid);
  if (!job) return { observedGeneration, conditions: conditions([notStarted(admission)]) };
  const ended = statusOf(old, 'PurgeJob');
  // What an earlier leader counted is the record of a job that ended with it; this one asked nobody.
  const counts =
    job.outcome && ended?.completionTime !== undefined && old?.uid === uid ? ended : jobCounts(job, state);
  return { ...counts, observedGeneration, conditions: conditions(jobVerdicts(job)) };
}

const notStarted = ({ config }: Admission) =>
  fails('Ready', 'InProgress', config ? 'not looked at yet' : 'there is no valid weir.yaml');

function unknownKind({ kind }: Resource): never {
  throw new Error(`nothing is known of the status of a ${kind}`);
}

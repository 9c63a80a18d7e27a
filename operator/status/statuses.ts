/**
 * Status: what was admitted, published and decided, as the conditions that people read. Pure; a status that did not
 * change is the same object as before, so that nothing is written for it.
 */
import type { KindName } from '../../contract/kinds/kind.ts';
import { KINDS, type Resource, type StatusOf } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { Problem } from '../../contract/problem.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { memo } from '../../lib/memo.ts';
import { type Admission, isKind, refOf, resourceKey } from '../admit/snapshot.ts';
import { certificateHolder, type Holdings, judgeDomain } from '../certificates/holdings.ts';
import type { DecideState, NodeState } from '../decide/state.ts';
import type { Publication } from '../publish/publication.ts';
import { certificateFacts, certificateVerdicts } from './certificate-status.ts';
import { domainVerdicts } from './domain-status.ts';
import { type Fleet, fleetOf } from './fleet.ts';
import { jobCounts, jobVerdicts, refusedJobVerdicts } from './job-status.ts';
import { healthOf, type NodeHealth, nodeVerdicts, unhealthyAddresses } from './node-status.ts';
import { type Statuses, type StatusRecord, statusOf } from './record.ts';
import { accepted, fails, toConditions, type Verdict } from './verdict.ts';

export interface StatusInput {
  admission: Admission;
  publication: Publication;
  state: DecideState;
  /** Certificates in force. */
  holdings: Holdings;
  before: Statuses;
  /** Ours, to be written down beside what it put aside. */
  build?: string;
  /** Milliseconds since the epoch. */
  now: number;
}

export function statuses(input: StatusInput): Statuses {
  const { admission, before } = input;
  const problems = problemsByResource(admission.problems);
  const routed = input.publication.routing?.plan.domains ?? [];
  // Looked up by each of ten thousand domains.
  const cnames = new Map(routed.map(({ uid, cname }) => [uid, cname] as const));
  const around = { ...input, cnames, fleet: fleetOf(input.state), health: healthOf(input.state) };
  const records = new Map<string, StatusRecord>();
  const settled = settledUnder(input);
  for (const [key, { resource, current }] of admission.accepted.resources) {
    const old = before.get(key);
    if (old && settled.get(key) === old) {
      records.set(key, old);
      continue;
    }
    const own = problems.get(key) ?? [];
    // A file that no longer parses says nothing of this resource in particular.
    const faults = current ? [] : own.length > 0 ? own : unreadable(admission.problems);
    const acceptance = accepted(faults, true, admission.contested?.get(key));
    // People compare what was observed with the generation of the manifest that they see, refused or not.
    const generation = admission.observed?.get(key)?.generation ?? resource.metadata.generation;
    const looks = looksAt(resource, { key, generation, acceptance }, around);
    const fresh = () => {
      const status = statusFor(resource, generation, acceptance, around);
      return record(resource, generation, status, old);
    };
    const row = unlessSeen(resource, old, looks, fresh);
    records.set(key, row);
    if (row === old && isSettled(resource, row)) settled.set(key, row);
  }
  for (const [key, own] of problems) {
    const ref = own[0]?.ref;
    if (ref && !records.has(key)) records.set(key, refusedRecord(ref, own, input));
  }
  return records;
}

interface Around extends StatusInput {
  /** By uid. */
  cnames: ReadonlyMap<string, string>;
  fleet: Fleet;
  health: NodeHealth;
}

/** All that a status is made of, but for the record before it. Of jobs there are few: those are made each time. */
function looksAt(
  resource: Resource,
  { key, generation, acceptance }: { key: string; generation: number; acceptance: Verdict },
  { admission, publication, cnames, fleet, state, health, holdings, now }: Around,
): readonly unknown[] | undefined {
  const { uid, name } = resource.metadata;
  const own: unknown[] = [
    resource,
    generation,
    acceptance.reason,
    acceptance.message,
    admission.quarantined.get(key),
  ];
  if (isKind(resource, 'CdnDomain')) {
    const history = publication.history.get(uid);
    const { status, reason, message } = judgeDomain(resource, holdings, now);
    own.push(status, reason, message);
    if (!history) return [...own, history];
    const [programmed, routed] = [fleet.programmed(history.changed), fleet.routed(history.routed)];
    return [...own, history, cnames.get(uid), programmed.reason, programmed.message, routed.message];
  }
  if (isKind(resource, 'EdgeNode')) {
    return [...own, state.nodes.get(name), publication.edge?.revision, health.textOf(name)];
  }
  return undefined;
}

/**
 * Ten thousand domains that every node and dns-server has: while manifests and plans stay as they are, no report changes
 * what is said of those.
 */
const settledRecords = new WeakMap<
  Publication,
  { admission: Admission; records: Map<string, StatusRecord> }
>();

function settledUnder({ admission, publication }: StatusInput): Map<string, StatusRecord> {
  const known = settledRecords.get(publication);
  if (known?.admission === admission) return known.records;
  const records = new Map<string, StatusRecord>();
  settledRecords.set(publication, { admission, records });
  return records;
}

/** What a domain once came to for this generation stands: see domain-status.ts. A certificate ends by itself. */
function isSettled(resource: Resource, row: StatusRecord): boolean {
  if (!isKind(resource, 'CdnDomain') || resource.spec.tls) return false;
  const { cname, conditions = [] } = statusOf(row, 'CdnDomain') ?? {};
  const programmed = conditions.find(({ type }) => type === 'Programmed');
  const stands = programmed?.status === 'True' && programmed.observedGeneration === row.generation;
  return stands && cname !== undefined;
}

interface Made {
  old: StatusRecord | undefined;
  looks: readonly unknown[];
  record: StatusRecord;
}

/** What each record was made from, and what was last made of each resource. All of these are values. */
const madeFrom = new WeakMap<StatusRecord, readonly unknown[]>();
const lastMade = new WeakMap<Resource, Made>();

/** The record itself where all that it was made from is still the same; what waits to be written is not made again. */
function unlessSeen(
  resource: Resource,
  old: StatusRecord | undefined,
  looks: readonly unknown[] | undefined,
  fresh: () => StatusRecord,
): StatusRecord {
  if (!looks) return fresh();
  if (old && isSame(madeFrom.get(old), looks)) return old;
  const last = lastMade.get(resource);
  if (last && last.old === old && isSame(last.looks, looks)) return last.record;
  const record = fresh();
  madeFrom.set(record, looks);
  lastMade.set(resource, { old, looks, record });
  return record;
}

function isSame(before: readonly unknown[] | undefined, now: readonly unknown[]): boolean {
  return before?.length === now.length && now.every((value, at) => value === before[at]);
}

function problemsByResource(problems: readonly Problem[]): Map<string, Problem[]> {
  const byKey = new Map<string, Problem[]>();
  for (const problem of problems) {
    // A second document with the same identity is wrong; the first is none the worse for it.
    if (!problem.ref || problem.reason === 'Duplicate') continue;
    const key = resourceKey(problem.ref);
    byKey.set(key, [...(byKey.get(key) ?? []), problem]);
  }
  return byKey;
}

const unreadable = (problems: readonly Problem[]) => problems.filter(({ ref }) => !ref).slice(0, 1);

function statusFor(
  resource: Resource,
  generation: number,
  acceptance: Verdict,
  input: Around,
): StatusOf[KindName] {
  const { uid, name } = resource.metadata;
  const { publication, state, admission, before, now, cnames, fleet, health, holdings } = input;
  const old = before.get(resourceKey(refOf(resource)));
  const conditions = (verdicts: Verdict[]) =>
    toConditions(old?.status.conditions, verdicts, generation, new Date(now).toISOString());

  if (isKind(resource, 'CdnDomain')) {
    const history = publication.history.get(uid);
    const { verdicts, cname } = domainVerdicts({
      acceptance,
      generation,
      fleet: history && {
        programmed: fleet.programmed(history.changed),
        routed: fleet.routed(history.routed),
      },
      cname: cnames.get(uid),
      certificate: judgeDomain(resource, holdings, now),
      before: statusOf(old, 'CdnDomain'),
    });
    const since = history?.since;
    return {
      observedGeneration: generation,
      ...(cname !== undefined && { cname }),
      ...(since && { since }),
      ...quarantinedStatus(resourceKey(refOf(resource)), input),
      conditions: conditions(verdicts),
    };
  }
  if (isKind(resource, 'EdgeNode')) {
    const node = state.nodes.get(name);
    const { schedulable } = resource.spec;
    const published = publication.edge?.revision;
    const acked = node?.known ? node.acked : undefined;
    const views = health.viewsOf(name);
    const unhealthy = unhealthyAddresses(views);
    return {
      observedGeneration: generation,
      ...(acked && { acked }),
      mustRevalidate: node?.revalidation !== undefined,
      ...(unhealthy.length > 0 && { unhealthy }),
      ...(node && node.load.weight < 1 && { weightPercent: Math.round(node.load.weight * 100) }),
      ...forcedStatus(node),
      ...quarantinedStatus(resourceKey(refOf(resource)), input),
      conditions: conditions(nodeVerdicts({ node, acceptance, schedulable, published, views })),
    };
  }
  if (isKind(resource, 'Certificate')) {
    const holding = holdings.get(certificateHolder(resource.metadata.namespace, name));
    return {
      observedGeneration: generation,
      ...certificateFacts(holding),
      conditions: conditions(certificateVerdicts(acceptance, holding, now)),
    };
  }
  const job = state.jobs.get(uid);
  if (!job) return { observedGeneration: generation, conditions: conditions([notStarted(admission)]) };
  const ended = statusOf(old, 'PurgeJob');
  // What an earlier leader counted is the record of a job that ended with it; this one asked nobody.
  const counts =
    job.outcome && ended?.completionTime !== undefined && old?.uid === uid ? ended : jobCounts(job, state);
  return { ...counts, observedGeneration: generation, conditions: conditions(jobVerdicts(job)) };
}

function quarantinedStatus(
  key: string,
  { admission, build = '' }: StatusInput,
): Pick<StatusOf['CdnDomain'], 'quarantined'> {
  const refused = admission.quarantined.get(key);
  if (!refused) return {};
  const { spec, by, message } = refused;
  return { quarantined: { spec, by, message: message.slice(0, 1_024), build } };
}

function forcedStatus(node: NodeState | undefined): Pick<StatusOf['EdgeNode'], 'forced'> {
  if (!node?.forced) return {};
  const { state, until } = node.forced;
  return { forced: { state, ...(until !== undefined && { until: new Date(until).toISOString() }) } };
}

const notStarted = ({ config }: Admission) =>
  fails('Ready', 'InProgress', config ? 'not looked at yet' : 'there is no valid weir.yaml');

/** A manifest that was refused and never accepted before. */
function refusedRecord(ref: ObjectRef, problems: Problem[], input: StatusInput): StatusRecord {
  const { admission, before, now } = input;
  const key = resourceKey(ref);
  const old = before.get(key);
  const { uid, generation } = admission.observed?.get(key) ?? { uid: '', generation: 1 };
  const at = new Date(now).toISOString();
  const acceptance = accepted(problems, false);
  const verdicts =
    ref.kind === 'PurgeJob' ? refusedJobVerdicts(acceptance) : refusedVerdicts(ref.kind, acceptance);
  const conditions = toConditions(old?.status.conditions, verdicts, generation, at);
  const fresh = {
    ref,
    uid,
    generation,
    firstSeen: old?.firstSeen ?? at,
    status: { observedGeneration: generation, ...quarantinedStatus(key, input), conditions },
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

function record(
  resource: Resource,
  generation: number,
  status: StatusOf[KindName],
  old: StatusRecord | undefined,
): StatusRecord {
  const { uid, creationTimestamp } = resource.metadata;
  return unlessEqual({ ref: refOf(resource), uid, generation, firstSeen: creationTimestamp, status }, old);
}

function unlessEqual(fresh: StatusRecord, old: StatusRecord | undefined): StatusRecord {
  return old && textOf(fresh) === textOf(old) ? old : fresh;
}

const textOf = memo<StatusRecord, string>(canonicalJson);

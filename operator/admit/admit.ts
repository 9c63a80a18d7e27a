/**
 * Admit: what a source gave, and what was accepted before, to one snapshot of accepted resources. Pure.
 *
 *     documents ─> read each alone ─> one per identity ─> references ─> hostname claims ─> snapshot
 *                        └────────────────── refused: its last accepted form, if there is one
 *
 * Bad input never breaks what works: a refused resource stays in force as it was, everything else goes on.
 */
import { type WeirConfig, weirConfig } from '../../contract/config/weir-config.ts';
import type { CdnDomain, Certificate, EdgeNode, Resource } from '../../contract/kinds/kinds.ts';
import { formatRef } from '../../contract/kinds/metadata.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { Problem } from '../../contract/problem.ts';
import { memo, memoWith } from '../../lib/memo.ts';
import type { Loaded, SourceDocument } from '../source/source.ts';
import { type Claimant, hostnamesOf, lostClaims } from './hostnames.ts';
import { identify } from './identity.ts';
import { problemAt, problemsOf, type Reading, readDocument } from './read-document.ts';
import { CHECKS, type Fault, type Surroundings } from './references.ts';
import {
  type Accepted,
  type AcceptedResource,
  type Admission,
  type Claim,
  type Experience,
  isKind,
  NO_EXPERIENCE,
  refOf,
  resourceKey,
  type Snapshot,
} from './snapshot.ts';

type Observed = NonNullable<Admission['observed']>;

/** A resource on its way: the form that is looked at, and where its manifest stands. */
interface Contender {
  form: AcceptedResource;
  document: SourceDocument | undefined;
}

export function admit(loaded: Loaded, before: Accepted, experience: Experience = NO_EXPERIENCE): Admission {
  const problems: Problem[] = [];
  const config = admitConfig(loaded.config, before.config, problems);
  const readings = loaded.documents.map(readDocument);
  const accepted = { ...before, resources: withoutReplaced(before.resources, readings) };
  for (const reading of readings) if (reading.problems.length > 0) problems.push(...reading.problems);

  const { contenders, claimed } = contend(readings, accepted, loaded.at, problems);
  const observed: Observed = { get: (key) => claimed.get(key)?.server };
  // Without settings nothing can be checked against them, so nothing new is accepted.
  if (!config) return admission(accepted, problems, observed, new Map());
  rememberTaken(contenders, accepted, experience);
  const quarantined = settleQuarantine(contenders, accepted, experience, problems);
  settleReferences(contenders, 'domains', config, accepted, problems);
  const contested = settleHostnames(contenders, accepted, problems);
  settleReferences(contenders, 'others', config, accepted, problems);
  const resources = new Map<string, AcceptedResource>();
  for (const [key, { form }] of contenders) resources.set(key, form);
  undisputed.add(resources);
  return { ...admission({ config, resources }, problems, observed, quarantined), contested };
}

function admission(
  accepted: Accepted,
  problems: Problem[],
  observed: Observed,
  quarantined: Admission['quarantined'],
): Admission {
  const snapshot = snapshotOf(accepted.resources);
  return {
    config: accepted.config,
    snapshot,
    problems: problems.sort(byPlace),
    accepted,
    quarantined,
    observed,
  };
}

/** An object that was deleted and made again under its name is another: what the old one said is in force no more. */
function withoutReplaced(
  resources: Accepted['resources'],
  readings: readonly Reading[],
): Accepted['resources'] {
  const replaced = readings.filter(({ key, document: { server } }) => {
    const before = key === undefined || !server ? undefined : resources.get(key);
    return before && before.resource.metadata.uid !== server?.uid;
  });
  if (replaced.length === 0) return resources;
  const kept = new Map(resources);
  for (const { key = '' } of replaced) kept.delete(key);
  return kept;
}

/** Settings that did not change are read once, and stay the very same: much depends on them. */
const readConfig = memo(({ value }: SourceDocument) => weirConfig.safeParse(value));

function admitConfig(
  document: SourceDocument | undefined,
  before: WeirConfig | undefined,
  problems: Problem[],
): WeirConfig | undefined {
  if (!document) {
    const message = 'the folder has no weir.yaml at its root';
    problems.push({ file: 'weir.yaml', line: 1, path: '', reason: 'Missing', message });
    return before;
  }
  if (document.syntaxError) {
    const { line, message } = document.syntaxError;
    problems.push({ file: document.file, line, path: '', reason: 'SyntaxError', message });
    return before;
  }
  const parsed = readConfig(document);
  if (parsed.success) return parsed.data;
  problems.push(...problemsOf(weirConfig, parsed.error, document));
  return before;
}

/** One contender per identity: the first document by path, or the last accepted form of what can not be read now. */
function contend(
  readings: Reading[],
  accepted: Accepted,
  now: string,
  problems: Problem[],
): { contenders: Map<string, Contender>; claimed: ReadonlyMap<string, SourceDocument> } {
  const contenders = new Map<string, Contender>();
  const claimed = new Map<string, SourceDocument>();
  for (const { document, ref, key, candidate } of readings) {
    if (!ref || key === undefined) continue;
    const first = claimed.get(key);
    if (first) {
      const message = `stands in ${first.file}:${first.line([])} already, which comes first by path`;
      problems.push(problemAt(document, ['metadata', 'name'], 'Duplicate', message, ref));
      continue;
    }
    claimed.set(key, document);
    const before = accepted.resources.get(key);
    if (candidate) contenders.set(key, { form: identify(candidate, before, now), document });
    else if (before) contenders.set(key, { form: { ...before, current: false }, document });
  }
  keepUnreadable(readings, accepted, contenders, claimed);
  return { contenders, claimed };
}

/** A document that does not say what it is may be any that its file gave: none of those counts as deleted. */
function keepUnreadable(
  readings: Reading[],
  accepted: Accepted,
  contenders: Map<string, Contender>,
  claimed: ReadonlyMap<string, SourceDocument>,
): void {
  const unreadable = new Map(
    readings.filter(({ ref }) => !ref).map(({ document }) => [document.file, document]),
  );
  if (unreadable.size === 0) return;
  for (const [key, before] of accepted.resources) {
    const document = unreadable.get(before.file);
    if (document && !claimed.has(key)) contenders.set(key, { form: { ...before, current: false }, document });
  }
}

/** A new form stands beside the one before it until it is known whether agents take it. */
function rememberTaken(
  contenders: Map<string, Contender>,
  accepted: Accepted,
  { isTaken }: Experience,
): void {
  for (const [key, contender] of contenders) {
    const { form } = contender;
    const before = accepted.resources.get(key);
    if (!before || before === form || !form.current || form.resource.kind === 'PurgeJob') continue;
    const isNew = partDigest(form.resource.spec) !== partDigest(before.resource.spec);
    const fallback = isNew && (isTaken(key) || !before.fallback) ? before.resource : before.fallback;
    if (fallback !== form.fallback)
      contenders.set(key, { ...contender, form: { ...form, ...(fallback && { fallback }) } });
  }
}

/** Forms that agents refused are not accepted, however right they look here: the last one that agents took is in force. */
function settleQuarantine(
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

/** Domains go first: jobs refer to those that are in force. */
function settleReferences(
  contenders: Map<string, Contender>,
  which: 'domains' | 'others',
  config: WeirConfig,
  accepted: Accepted,
  problems: Problem[],
): void {
  const around: Surroundings = {
    config,
    domain: (namespace, name) =>
      domainOf(contenders.get(resourceKey({ kind: 'CdnDomain', namespace, name }))),
  };
  for (const [key, contender] of contenders) {
    const { resource, current } = contender.form;
    if ((resource.kind === 'CdnDomain') !== (which === 'domains')) continue;
    const faults = current ? faultsOf(resource, around) : [];
    if (faults.length === 0) continue;
    for (const { path, reason, message } of faults) {
      if (contender.document)
        problems.push(problemAt(contender.document, path, reason, message, refOf(resource)));
    }
    refuse(contenders, key, contender, accepted);
  }
}

/** Domains and nodes are checked against the settings alone: once, while those stay. */
const domainFaults = memoWith((resource: CdnDomain, config: WeirConfig) =>
  CHECKS.CdnDomain.flatMap((check) => check(resource, { config, domain: () => undefined })),
);
const nodeFaults = memoWith((resource: EdgeNode, config: WeirConfig) =>
  CHECKS.EdgeNode.flatMap((check) => check(resource, { config, domain: () => undefined })),
);

const certificateFaults = memoWith((resource: Certificate, config: WeirConfig) =>
  CHECKS.Certificate.flatMap((check) => check(resource, { config, domain: () => undefined })),
);

function faultsOf(resource: Resource, around: Surroundings): Fault[] {
  if (isKind(resource, 'Certificate')) return certificateFaults(resource, around.config);
  if (isKind(resource, 'CdnDomain')) return domainFaults(resource, around.config);
  if (isKind(resource, 'EdgeNode')) return nodeFaults(resource, around.config);
  return isKind(resource, 'PurgeJob') ? CHECKS.PurgeJob.flatMap((check) => check(resource, around)) : [];
}

/**
 * Refuses domains that lose a hostname until nobody does; gives the claims that lost, by who keeps. Each round takes a
 * new form back to the accepted one, or an accepted one out, so it ends.
 */
function settleHostnames(
  contenders: Map<string, Contender>,
  accepted: Accepted,
  problems: Problem[],
): Map<string, Claim[]> {
  const contested = new Map<string, Claim[]>();
  while (claimedTwice(contenders, accepted)) {
    const keys = new Map<Claimant, string>();
    for (const [key, contender] of contenders) {
      const domain = domainOf(contender);
      if (!domain) continue;
      const before = accepted.resources.get(key)?.resource;
      const held = new Set(before && isKind(before, 'CdnDomain') ? hostnamesOf(before) : []);
      keys.set({ domain, held }, key);
    }
    const lost = lostClaims([...keys.keys()]);
    if (lost.size === 0) return contested;
    for (const [claimant, { hostname, winner }] of lost) {
      const key = keys.get(claimant) ?? '';
      const contender = contenders.get(key);
      if (!contender) continue;
      if (contender.document) {
        const message = `${hostname} belongs to ${formatRef(refOf(winner))}`;
        const path = hostnamePath(claimant.domain, hostname);
        const by = refOf(claimant.domain);
        problems.push(problemAt(contender.document, path, 'Conflict', message, by));
        const kept = resourceKey(refOf(winner));
        contested.set(kept, [...(contested.get(kept) ?? []), { hostname, by }]);
      }
      refuse(contenders, key, contender, accepted);
    }
  }
  return contested;
}

/** Resources that came out of here: no two of them have one hostname. */
const undisputed = new WeakSet<Accepted['resources']>();

/** Who has which is only worked out where two want one: mostly nobody does. */
function claimedTwice(contenders: ReadonlyMap<string, Contender>, { resources }: Accepted): boolean {
  if (undisputed.has(resources) && !claimsAnew(contenders, resources)) return false;
  const claimed = new Set<string>();
  for (const contender of contenders.values()) {
    const domain = domainOf(contender);
    for (const hostname of domain ? hostnamesOf(domain) : []) {
      if (claimed.has(hostname)) return true;
      claimed.add(hostname);
    }
  }
  return false;
}

/** Whether anybody wants a hostname that it has not already. */
function claimsAnew(contenders: ReadonlyMap<string, Contender>, resources: Accepted['resources']): boolean {
  for (const [key, contender] of contenders) {
    const before = resources.get(key);
    const domain = contender.form === before ? undefined : domainOf(contender);
    if (!domain) continue;
    const held = before && isKind(before.resource, 'CdnDomain') ? hostnamesOf(before.resource) : [];
    if (hostnamesOf(domain).some((hostname) => !held.includes(hostname))) return true;
  }
  return false;
}

/** Back to the last accepted form; out, when that is the one refused or there is none. */
function refuse(
  contenders: Map<string, Contender>,
  key: string,
  contender: Contender,
  accepted: Accepted,
): void {
  const before = accepted.resources.get(key);
  if (before && contender.form.current)
    contenders.set(key, { ...contender, form: { ...before, current: false } });
  else contenders.delete(key);
}

function domainOf(contender: Contender | undefined): CdnDomain | undefined {
  const resource = contender?.form.resource;
  return resource && isKind(resource, 'CdnDomain') ? resource : undefined;
}

function hostnamePath({ spec }: CdnDomain, hostname: string): PropertyKey[] {
  return spec.hostname === hostname
    ? ['spec', 'hostname']
    : ['spec', 'aliases', spec.aliases?.indexOf(hostname) ?? 0];
}

function snapshotOf(resources: Accepted['resources']): Snapshot {
  // Sorted as texts, which is what V8 does fastest, and fastest of all where they nearly are.
  const rows = [...resources.keys()].sort().map((key) => resources.get(key)?.resource);
  const all = rows.filter((resource) => resource !== undefined);
  return {
    domains: all.filter((resource) => isKind(resource, 'CdnDomain')),
    nodes: all.filter((resource) => isKind(resource, 'EdgeNode')),
    jobs: all.filter((resource) => isKind(resource, 'PurgeJob')),
    certificates: all.filter((resource) => isKind(resource, 'Certificate')),
  };
}

function byPlace(a: Problem, b: Problem): number {
  return a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1;
}

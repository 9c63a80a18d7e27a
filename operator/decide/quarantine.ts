/**
 * Resources that agents can't take. An agent that is sent a plan with one says `Invalid` and names it; all it holds
 * stays in force, but no later change reaches it either. So the form goes out of the plans until its owner changes it:
 * admit takes the one accepted before. Pure.
 *
 *     nack of the newest plan ─> is the form in any agent's hands? ─yes─> that agent's own fault: nothing happens
 *                                  └no─> most agents refused, or nobody took it in time ─> quarantined ─late ack─> free
 *
 * One agent that is broken, or somebody else's, therefore costs nobody else anything: what a single other agent of its
 * role took is not put aside, whatever it says, and it can only name what has just changed.
 */
import type { CdnDomain, EdgeNode } from '../../contract/kinds/kinds.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import { compareRevisions, type Revision } from '../../contract/plans/revision.ts';
import type { Report, Role } from '../../contract/stream/messages.ts';
import type { PlanResource } from '../../contract/stream/plan-resource.ts';
import { changedPlaces } from '../../lib/changed-places.ts';
import { withEntry } from '../../lib/patched-map.ts';
import { keyOf, resourceKey, type Snapshot } from '../admit/snapshot.ts';
import type { DecideState, Decision } from './state.ts';

/** What others are given to take what one refused: most agents ack within a second. */
const GRACE_MS = 2_000;

/** The present form of a resource in the plans. */
export interface Form {
  /** Digest of its spec: what tells one form from the next, also where a folder counts no generations. */
  spec: string;
  /** The first plan of each role that has it. */
  since: Record<Role, Revision>;
}

/** Who refused the present form so far. */
export interface Refusal {
  ref: PlanResource;
  spec: string;
  role: Role;
  agents: ReadonlySet<string>;
  message: string;
  at: number;
}

export interface Quarantined {
  ref: PlanResource;
  spec: string;
  /** `edge zz-1` */
  by: string;
  message: string;
  /** The plans that have it: an agent that acks one of them after all sets it free. Nothing for what was restored. */
  plans: { role: Role; from: Revision; to: Revision } | undefined;
}

type FormsOf = Pick<Snapshot, 'domains' | 'nodes'>;

/** By `resourceKey`. */
export interface QuarantineState {
  forms: ReadonlyMap<string, Form>;
  /** What these are the forms of. */
  of: FormsOf;
  refusals: ReadonlyMap<string, Refusal>;
  quarantined: ReadonlyMap<string, Quarantined>;
  /** Digests of forms that were set free: one agent's word does not put them aside again. */
  cleared: ReadonlySet<string>;
  /** The newest plan of each role. */
  published: Record<Role, Revision> | undefined;
}

export function noQuarantine(quarantined: QuarantineState['quarantined']): QuarantineState {
  const of = { domains: [], nodes: [] };
  return { forms: new Map(), of, refusals: new Map(), quarantined, cleared: new Set(), published: undefined };
}

/** Plans are out that are made of these resources. */
export function plansPublished(
  state: DecideState,
  { domains, nodes }: Snapshot,
  published: Record<Role, Revision>,
): DecideState {
  const { quarantine } = state;
  // Under another epoch nothing that was acked before says anything of these plans.
  const isSameEpoch = quarantine.published?.edge.epoch === published.edge.epoch;
  const known = isSameEpoch ? quarantine : noQuarantine(quarantine.quarantined);
  const of = { domains, nodes };
  const forms = formsAfter(known, of, published);
  const refusals = filtered(quarantine.refusals, ([key, { spec }]) => forms.get(key)?.spec === spec);
  return { ...state, quarantine: { ...quarantine, forms, of, refusals, published } };
}

/** Of resources that are those before but for some, only these are looked at. */
function formsAfter(
  { forms: known, of: before }: QuarantineState,
  { domains, nodes }: FormsOf,
  since: Form['since'],
): QuarantineState['forms'] {
  const [old, all] = [
    [...before.domains, ...before.nodes],
    [...domains, ...nodes],
  ];
  const rowOf = (resource: CdnDomain | EdgeNode) =>
    [keyOf(resource), formOf(resource, known, since)] as const;
  const changed = changedPlaces(old, all)?.map((place) => all[place]);
  if (!changed) return new Map(all.map(rowOf));
  let forms = known;
  for (const resource of changed) {
    if (!resource || !known.has(keyOf(resource))) return new Map(all.map(rowOf));
    forms = withEntry(forms, ...rowOf(resource));
  }
  return forms;
}

function formOf(resource: CdnDomain | EdgeNode, known: QuarantineState['forms'], since: Form['since']): Form {
  const [before, spec] = [known.get(keyOf(resource)), partDigest(resource.spec)];
  return before?.spec === spec ? before : { spec, since };
}

/** Quarantines of forms that are no more: the owner changed the resource, or took it away. */
export function quarantinesKept(state: DecideState, kept: ReadonlySet<string>): DecideState {
  const { quarantine } = state;
  const quarantined = filtered(quarantine.quarantined, ([key]) => kept.has(key));
  return quarantined === quarantine.quarantined
    ? state
    : { ...state, quarantine: { ...quarantine, quarantined } };
}

export function planRefused(
  state: DecideState,
  role: Role,
  agent: string,
  { fault, revision, resources = [], message }: Extract<Report, { type: 'nack' }>,
  now: number,
): DecideState {
  const { published, forms, cleared } = state.quarantine;
  if (fault !== 'Invalid' || !published || compareRevisions(revision, published[role]) !== 0) return state;
  const refusals = new Map(state.quarantine.refusals);
  for (const ref of resources) {
    const key = resourceKey(ref);
    const form = forms.get(key);
    if (!form || cleared.has(form.spec) || isTaken(state, role, form)) continue;
    const before = refusals.get(key) ?? {
      ref,
      spec: form.spec,
      role,
      agents: new Set<string>(),
      message,
      at: now,
    };
    refusals.set(key, { ...before, agents: new Set([...before.agents, agent]) });
  }
  return { ...state, quarantine: { ...state.quarantine, refusals } };
}

/** Puts aside what most refused, or one did and nobody took in time. */
export function judgeRefusals(state: DecideState, now: number): Decision {
  const { refusals, quarantined, forms, published } = state.quarantine;
  if (refusals.size === 0 || !published) return { state, effects: [] };
  const open = new Map(refusals);
  const aside = new Map(quarantined);
  for (const [key, refusal] of refusals) {
    const { role, ref, spec, message, agents, at } = refusal;
    const form = forms.get(key);
    if (!form || isTaken(state, role, form)) open.delete(key);
    else if (agents.size * 2 > connectedAgents(state, role) || now - at >= GRACE_MS) {
      open.delete(key);
      const plans = { role, from: form.since[role], to: published[role] };
      aside.set(key, { ref, spec, by: `${role} ${[...agents][0] ?? ''}`, message, plans });
    }
  }
  const quarantine = { ...state.quarantine, refusals: open, quarantined: aside };
  return {
    state: { ...state, quarantine },
    effects: aside.size > quarantined.size ? [{ type: 'readmit' }] : [],
  };
}

/** An agent took a plan that has what others refused. */
export function plansTaken(state: DecideState, role: Role, revision: Revision): Decision {
  const { quarantined, cleared } = state.quarantine;
  if (quarantined.size === 0) return { state, effects: [] };
  const free = [...quarantined].filter(
    ([, { plans }]) => plans?.role === role && isBetween(revision, plans.from, plans.to),
  );
  if (free.length === 0) return { state, effects: [] };
  const keys = new Set(free.map(([key]) => key));
  const quarantine = {
    ...state.quarantine,
    quarantined: filtered(quarantined, ([key]) => !keys.has(key)),
    cleared: new Set([...cleared, ...free.map(([, { spec }]) => spec)]),
  };
  return { state: { ...state, quarantine }, effects: [{ type: 'readmit' }] };
}

/** Some agent of the role serves it. One that claims more than was published says nothing. */
function isTaken(state: DecideState, role: Role, { since }: Form): boolean {
  const newest = state.quarantine.published?.[role];
  return (
    newest !== undefined &&
    agentsOf(state, role).some(({ acked }) => acked && isBetween(acked, since[role], newest))
  );
}

/** Whether a resource's form has been in some agent's hands: what to go back to, should the next one be refused. */
export function formTaken({ quarantine, ...state }: DecideState, key: string): boolean {
  const form = quarantine.forms.get(key);
  const roles: Role[] = key.startsWith('EdgeNode/') ? ['dns-server'] : ['edge', 'dns-server'];
  return form !== undefined && roles.every((role) => isTaken({ ...state, quarantine }, role, form));
}

function agentsOf({ nodes, dnsServers }: DecideState, role: Role) {
  return role === 'edge' ? [...nodes.values()] : [...dnsServers.values()];
}

const connectedAgents = (state: DecideState, role: Role) =>
  agentsOf(state, role).filter(({ connected }) => connected).length;

const isBetween = (revision: Revision, from: Revision, to: Revision) =>
  compareRevisions(revision, from) >= 0 && compareRevisions(revision, to) <= 0;

/** The same map where nothing goes. */
function filtered<V>(
  map: ReadonlyMap<string, V>,
  keep: (row: [string, V]) => boolean,
): ReadonlyMap<string, V> {
  if (map.size === 0) return map;
  const kept = [...map].filter(keep);
  return kept.length === map.size ? map : new Map(kept);
}

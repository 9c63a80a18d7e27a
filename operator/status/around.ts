/** What statuses are made of: the values of the moment, and what all of them ask of those, worked out once. Pure. */
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import { memo } from '../../lib/memo.ts';
import type { AcceptedResource, Admission } from '../admit/snapshot.ts';
import type { Holdings } from '../certificates/holdings.ts';
import type { DecideState } from '../decide/state.ts';
import type { Publication } from '../publish/publication.ts';
import { type Fleet, fleetOf } from './fleet.ts';
import { healthOf, type NodeHealth } from './node-status.ts';
import type { Statuses, StatusRecord } from './record.ts';
import type { Verdict } from './verdict.ts';

export interface StatusInput {
  admission: Admission;
  publication: Publication;
  state: DecideState;
  /** Certificates in force. */
  holdings: Holdings;
  before: Statuses;
  /** The edge plan that every node should have by now (publish/due-plan.ts); by default the newest. */
  due?: Revision | undefined;
  /** So many records may be made that tell no more than which revision a node has; by default all. */
  turns?: number | undefined;
  /** Ours, to be written down beside what it put aside. */
  build?: string;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface Around extends StatusInput {
  /** By uid; of ten thousand domains few are asked for. */
  cname: (uid: string) => string | undefined;
  fleet: Fleet;
  health: NodeHealth;
}

/** One resource that is looked at. */
export interface Looked {
  key: string;
  form: AcceptedResource;
  old: StatusRecord | undefined;
  acceptance: Verdict;
  generation: number;
}

export function aroundOf(input: StatusInput): Around {
  const { publication, state } = input;
  const { routing, edge } = publication;
  return {
    ...input,
    due: input.due ?? edge?.revision,
    cname: (uid) => routing && cnamesOf(routing).get(uid),
    fleet: fleetOf(state),
    health: healthOf(state.dnsServers),
  };
}

const cnamesOf = memo(
  ({ plan }: PublishedRoutingPlan): ReadonlyMap<string, string> =>
    new Map(plan.domains.map(({ uid, cname }) => [uid, cname] as const)),
);

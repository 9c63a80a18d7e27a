/**
 * Publish, the pure part: which revision a compiled plan gets, and since when edges have a domain.
 *
 * A plan equal in digest to the last one gets no new revision. `since` is the revision of the first edge plan that had
 * a uid; `changed` the first that had the domain in its present form.
 */
import type { EdgeDomain } from '../../contract/plans/edge-plan.ts';
import {
  type PublishedEdgePlan,
  type PublishedRoutingPlan,
  partDigest,
  planDigest,
} from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import { changedPlaces } from '../../lib/changed-places.ts';
import { withEntry } from '../../lib/patched-map.ts';
import type { Compiled } from '../compile/compile.ts';

export interface DomainHistory {
  since: Revision;
  /** Of its row in the edge plan. */
  digest: string;
  changed: Revision;
  /** The routing plan that first had its row. */
  routed: Revision;
}

export interface Publication {
  /** Random, made at each start. */
  run: string;
  epoch: number;
  /** Of the last plan that was published in this epoch; both kinds of plan count. */
  seq: number;
  edge: PublishedEdgePlan | undefined;
  routing: PublishedRoutingPlan | undefined;
  /** By domain uid. */
  history: ReadonlyMap<string, DomainHistory>;
  /** `since` by uid as an earlier leader wrote it into the domains' status. */
  restored: ReadonlyMap<string, Revision>;
}

export function startPublication(
  epoch: number,
  restored: ReadonlyMap<string, Revision>,
  run: string,
): Publication {
  return { run, epoch, seq: 0, edge: undefined, routing: undefined, history: new Map(), restored };
}

/** What an agent that connects says of whom it was served by; `met` when it was greeted by this run before. */
export interface Acquaintance {
  run: string;
  seen: number;
  met: boolean;
}

/**
 * Whether an agent met an operator that this one knows nothing of, as after a loss of the state folder: then it may
 * hold our next revisions with another content. One that we met may have our epoch from a table, and an older plan.
 */
export function isForeign({ run, epoch }: Publication, agent: Acquaintance): boolean {
  return agent.seen > epoch || (agent.seen === epoch && agent.run !== run && !agent.met);
}

/** The publication after a compile. Edges' plan first: what DNS points at has to exist before. */
export function publish(last: Publication, { edge, routing }: Compiled): Publication {
  // Compile gives the very same plans where nothing changed, as after a purge.
  if (last.edge?.plan === edge && last.routing?.plan === routing) return last;
  const edgeDigest = last.edge?.plan === edge ? last.edge.digest : planDigest(edge);
  const edgeSame = last.edge?.digest === edgeDigest;
  const edgeSeq = edgeSame ? last.seq : last.seq + 1;
  const published =
    last.edge && edgeSame
      ? last.edge
      : { revision: { epoch: last.epoch, seq: edgeSeq }, digest: edgeDigest, run: last.run, plan: edge };

  const routingDigest = last.routing?.plan === routing ? last.routing.digest : planDigest(routing);
  const routingSame = last.routing?.digest === routingDigest;
  const seq = routingSame ? edgeSeq : edgeSeq + 1;
  const routed = last.routing && routingSame ? last.routing.revision : { epoch: last.epoch, seq };
  const history = historyAfter(last, edge.domains, (domain) =>
    historyOf(domain, last, published.revision, routed),
  );
  const routingPlan =
    last.routing && routingSame
      ? last.routing
      : { revision: routed, digest: routingDigest, run: last.run, plan: routing, since: sinceOf(history) };
  const restored = stillThere(last.restored, history);
  return { ...last, seq, edge: published, routing: routingPlan, history, restored };
}

const sinceOf = (history: Publication['history']): PublishedRoutingPlan['since'] =>
  Object.fromEntries([...history].map(([uid, row]) => [uid, row.since]));

/** Of domains that are those before but for some, only these are made anew. */
function historyAfter(
  { edge, history: before }: Publication,
  domains: readonly EdgeDomain[],
  made: (domain: EdgeDomain) => DomainHistory,
): Publication['history'] {
  const old = edge?.plan.domains ?? [];
  const places = changedPlaces(old, domains);
  if (!places?.every((place) => old[place]?.uid === domains[place]?.uid))
    return new Map(domains.map((row) => [row.uid, made(row)] as const));
  let history = before;
  for (const place of places) {
    const domain = domains[place];
    if (domain) history = withEntry(history, domain.uid, made(domain));
  }
  return history;
}

/** A uid that went away and comes back is a new beginning, whatever was restored for it. */
function stillThere(
  restored: Publication['restored'],
  history: Publication['history'],
): Publication['restored'] {
  if (restored.size === 0) return restored;
  const kept = [...restored].filter(([uid]) => history.has(uid));
  return kept.length === restored.size ? restored : new Map(kept);
}

function historyOf(domain: EdgeDomain, last: Publication, edge: Revision, routing: Revision): DomainHistory {
  const before = last.history.get(domain.uid);
  const digest = partDigest(domain);
  // The very same where nothing changed: ten thousand statuses are made from these.
  if (before?.digest === digest) return before;
  return {
    since: before?.since ?? last.restored.get(domain.uid) ?? edge,
    digest,
    changed: edge,
    routed: before?.routed ?? routing,
  };
}

/**
 * The same plans under a higher epoch, when an agent turns out to hold more than we remember. What this run made up
 * rises with it: a `since` of ours from the lower epoch would let edges pass that never had the domain.
 */
export function raiseEpoch(last: Publication, epoch: number): Publication {
  const compiled = last.edge && last.routing && { edge: last.edge.plan, routing: last.routing.plan };
  const restart = startPublication(epoch, last.restored, last.run);
  return compiled ? publish(restart, compiled) : restart;
}

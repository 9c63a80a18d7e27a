/**
 * What dns-servers answer from, made of what a Kubernetes API tells: the plan by the operator's own admission and
 * compilation, the node table and health from the statuses of CdnDomains and EdgeNodes. Pure.
 */
import type { EdgeNodeSpec, EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import { type EdgeNode, KINDS } from '../../contract/kinds/kinds.ts';
import type { NodeRow } from '../../contract/plans/node-table.ts';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { compareRevisions, NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import type { RoutingView } from '../../contract/stream/operator-api.ts';
import { turnMs } from '../../dns-server/health/state.ts';
import { durationMs } from '../../lib/duration.ts';
import { admit } from '../../operator/admit/admit.ts';
import type { Accepted } from '../../operator/admit/snapshot.ts';
import { compile } from '../../operator/compile/compile.ts';
import { rampOf } from '../../operator/decide/load.ts';
import type { ApiObject } from '../../operator/kubernetes/objects.ts';
import { toDocument } from '../../operator/source/kubernetes/to-document.ts';
import type { SourceDocument } from '../../operator/source/source.ts';

export interface ClusterState {
  accepted: Accepted;
  /** Instead of the accepted settings. */
  config: SourceDocument | undefined;
  domains: readonly ApiObject[];
  nodes: readonly ApiObject[];
  /** RFC 3339. */
  at: string;
}

/** Nothing where there are no settings. */
export function routingFromStatuses(cluster: ClusterState): RoutingView | undefined {
  const { accepted, config: document, domains, nodes, at } = cluster;
  const documents = [
    ...domains.filter(isThere).map((object) => toDocument('CdnDomain', object)),
    ...nodes.filter(isThere).map((object) => toDocument('EdgeNode', object)),
  ].sort((a, b) => (a.file < b.file ? -1 : 1));
  const { config, snapshot } = admit({ at, config: document, documents }, accepted);
  if (!config) return undefined;
  const { routing: plan } = compile(snapshot, config);
  const statuses = new Map(nodes.map((object) => [object.metadata.name, nodeStatus(object)]));
  const rows = snapshot.nodes.flatMap((node) => rowOf(node, statuses.get(node.metadata.name)));
  return {
    published: {
      revision: newest(rows.map(({ acked }) => acked)),
      digest: planDigest(plan),
      run: '',
      plan,
      since: Object.fromEntries(domains.flatMap(sinceOf)),
    },
    table: { version: NO_REVISION, rows },
    health: {
      statuses: snapshot.nodes.flatMap((node) => healthOf(node, statuses.get(node.metadata.name))),
    },
  };
}

const isThere = ({ metadata }: ApiObject) => metadata.deletionTimestamp === undefined;

function nodeStatus({ status }: ApiObject): EdgeNodeStatus {
  return KINDS.EdgeNode.status.safeParse(status).data ?? {};
}

function sinceOf({ metadata, status }: ApiObject): [string, Revision][] {
  const since = KINDS.CdnDomain.status.safeParse(status).data?.since;
  return since ? [[metadata.uid, since]] : [];
}

const conditionOf = ({ conditions = [] }: EdgeNodeStatus, wanted: string) =>
  conditions.find(({ type }) => type === wanted);

function rowOf({ metadata: { name } }: EdgeNode, status: EdgeNodeStatus = {}): NodeRow[] {
  const { acked, forced } = status;
  if (!acked) return [];
  const closed = conditionOf(status, 'Admitted');
  // A drained node is admitted all the same: its spec keeps it out.
  const admitted = closed?.status !== 'False' || closed.reason === 'Cordoned';
  const { state, until } = forced ?? {};
  const weight = weightOf(status);
  return [
    {
      node: name,
      acked,
      admitted,
      reason: admitted ? 'Admitted' : (closed?.reason ?? ''),
      ...(weight < 1 && { weight }),
      ...(state && { forced: { state, ...(until !== undefined && { until: Date.parse(until) }) } }),
    },
  ];
}

/** As the operator has it, but for the two minutes in which a node that came back starts slowly: no status has those. */
function weightOf(status: EdgeNodeStatus): number {
  const isDown = conditionOf(status, 'Healthy')?.reason === 'Unhealthy';
  const ramp = isDown ? rampOf(undefined, 0) : 1;
  return Math.round((status.weightPercent ?? 100) * ramp) / 100;
}

/** What dns-servers see of a node that any of them probes. How far a probe is from turning it, no status tells. */
function healthOf(
  { metadata: { name }, spec }: EdgeNode,
  status: EdgeNodeStatus = {},
): HealthReport['nodes'] {
  if ((conditionOf(status, 'Healthy')?.status ?? 'Unknown') === 'Unknown') return [];
  const down = new Map(status.unhealthy?.map(({ address, detail }) => [address, detail]));
  const addresses = spec.addresses.map((address) => {
    const detail = down.get(address);
    const healthy = detail === undefined;
    return { address, healthy, detail: detail ?? '', turnMs: calmTurnMs(spec, healthy) };
  });
  return [{ node: name, addresses }];
}

function calmTurnMs({ healthCheck }: EdgeNodeSpec, healthy: boolean): number {
  const { interval, failureThreshold, successThreshold } = healthCheck;
  const check = { intervalMs: durationMs(interval), failureThreshold, successThreshold };
  return turnMs({ healthy, known: true, failures: 0, successes: 0, detail: '' }, check);
}

const newest = (revisions: readonly Revision[]): Revision =>
  revisions.reduce((high, revision) => (compareRevisions(revision, high) > 0 ? revision : high), NO_REVISION);

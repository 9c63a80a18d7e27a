/** What `weir get` and `weir explain` ask for: resources with their statuses, and what answers are made of. Pure. */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { ResourcesView, ResourceView, RoutingView } from '../../contract/stream/operator-api.ts';
import { type Admission, resourceKey } from '../admit/snapshot.ts';
import type { DecideState } from '../decide/state.ts';
import type { Statuses, StatusRecord } from './record.ts';

/** Every resource that is in force or was refused. */
export function resourcesView(admission: Admission | undefined, statuses: Statuses): ResourcesView {
  const resources = [...statuses]
    .map(([key, record]) => resourceView(admission, key, record))
    .sort((a, b) => (viewKey(a) < viewKey(b) ? -1 : 1));
  return { resources };
}

function resourceView(admission: Admission | undefined, key: string, record: StatusRecord): ResourceView {
  const { ref, uid, generation, firstSeen, status } = record;
  const resource = admission?.accepted.resources.get(key)?.resource;
  return {
    kind: ref.kind,
    metadata: {
      name: ref.name,
      namespace: ref.namespace,
      ...(uid !== '' && { uid }),
      generation,
      creationTimestamp: firstSeen,
      ...(resource && { labels: resource.metadata.labels }),
    },
    spec: resource?.spec ?? {},
    status,
  };
}

/** The newest routing plan and table, and what dns-servers see; nothing before there is a plan. */
export function routingView(
  published: PublishedRoutingPlan | undefined,
  table: NodeTable,
  { dnsServers }: DecideState,
): RoutingView | undefined {
  const health = Object.fromEntries([...dnsServers].map(([name, server]) => [name, server.health]));
  return published && { published, table, health };
}

const viewKey = ({ kind, metadata: { namespace, name } }: ResourceView) =>
  resourceKey({ kind, namespace, name });

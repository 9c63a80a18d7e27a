/** What `weir get` shows: every resource that is in force or was refused, with its status. Pure. */
import type { ResourcesView, ResourceView } from '../../contract/stream/operator-api.ts';
import { type Admission, resourceKey } from '../admit/snapshot.ts';
import type { Statuses, StatusRecord } from './record.ts';

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

const viewKey = ({ kind, metadata: { namespace, name } }: ResourceView) =>
  resourceKey({ kind, namespace, name });

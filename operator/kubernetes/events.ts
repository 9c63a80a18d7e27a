/** Events of events.k8s.io/v1: what `kubectl describe` and `kubectl events` show of an object. */
import { hostname } from 'node:os';
import { API_VERSION, GROUP } from '../../contract/kinds/kind.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { Announcement } from '../status/announcements.ts';

/** The API's own limit. */
const MAX_NOTE = 1_024;

/** Those of cluster-scoped objects lie in `default`. */
const namespaceOf = ({ namespace }: ObjectRef) => namespace || 'default';

export const eventsPath = (ref: ObjectRef) => `/apis/events.k8s.io/v1/namespaces/${namespaceOf(ref)}/events`;

/** `now` in milliseconds since the epoch. */
export function eventOf(ref: ObjectRef, uid: string, { type, reason, note }: Announcement, now: number) {
  const { kind, name, namespace } = ref;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: `${name}-`, namespace: namespaceOf(ref) },
    regarding: { apiVersion: API_VERSION, kind, name, uid, ...(namespace !== '' && { namespace }) },
    // Microseconds, as the API wants them.
    eventTime: new Date(now).toISOString().replace('Z', '000Z'),
    reportingController: `${GROUP}/operator`,
    reportingInstance: hostname(),
    action: 'Reconcile',
    type,
    reason,
    note: note.slice(0, MAX_NOTE),
  };
}

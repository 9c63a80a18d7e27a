/** Events of events.k8s.io/v1: what `kubectl describe` and `kubectl events` show of an object. */
import { hostname } from 'node:os';
import { API_VERSION, GROUP } from '../../contract/kinds/kind.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { Announcement } from '../status/announcements.ts';

/** The API's own limit. */
const MAX_NOTE = 1_024;

/** Whom an Event is about. */
export interface Regarding {
  apiVersion: string;
  kind: string;
  name: string;
  /** Empty for what belongs to no namespace. */
  namespace: string;
  uid: string;
}

export const regardingOf = (ref: ObjectRef, uid: string): Regarding => ({
  apiVersion: API_VERSION,
  ...ref,
  uid,
});

/** Those of cluster-scoped objects lie in `default`. */
const namespaceOf = ({ namespace }: Regarding) => namespace || 'default';

export const eventsPath = (regarding: Regarding) =>
  `/apis/events.k8s.io/v1/namespaces/${namespaceOf(regarding)}/events`;

/** `now` in milliseconds since the epoch. */
export function eventOf(regarding: Regarding, { type, reason, note }: Announcement, now: number) {
  const { namespace, ...object } = regarding;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: `${object.name}-`, namespace: namespaceOf(regarding) },
    regarding: { ...object, ...(namespace !== '' && { namespace }) },
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

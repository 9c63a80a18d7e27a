/** Each fault of a Kubernetes node is told once: in an Event of it, and in the log. */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { KubernetesApi } from '../kubernetes/api.ts';
import { eventOf, eventsPath } from '../kubernetes/events.ts';
import type { NodeFault } from './registrations.ts';

interface Telling {
  api: KubernetesApi;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  clock: Clock;
  log: Log;
}

/** Returns a function that takes all faults as they are now. */
export function faultTeller({ api, mayWrite, clock, log }: Telling) {
  let told = new Set<string>();
  return async (faults: readonly NodeFault[]): Promise<void> => {
    const before = told;
    told = new Set(faults.map(keyOf));
    for (const fault of faults.filter((row) => !before.has(keyOf(row)))) {
      const { node, uid, reason } = fault;
      const note = noteOf(fault);
      log.error({ node, reason }, note);
      const regarding = { apiVersion: 'v1', kind: 'Node', name: node, namespace: '', uid };
      try {
        mayWrite();
        await api.create(
          eventsPath(regarding),
          eventOf(regarding, { type: 'Warning', reason, note }, clock.now()),
        );
      } catch (error) {
        log.warn({ err: error, node }, 'an Event is not written');
      }
    }
  };
}

const keyOf = (fault: NodeFault) => `${fault.uid} ${noteOf(fault)}`;

function noteOf({ node, path, value, message }: NodeFault): string {
  const place = `Node ${node}: ${path}`;
  return value === undefined ? `${place}: ${message}` : `${place}: ${JSON.stringify(value)}: ${message}`;
}

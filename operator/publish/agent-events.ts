/** What an agent's requests lead to: events for the reconciler, and what a new session is sent first. */
import { compareRevisions } from '../../contract/plans/revision.ts';
import type { Reconciler } from '../reconcile.ts';
import { Refusal, type StreamEvents } from './stream-server.ts';

export function agentEvents(reconciler: Reconciler): StreamEvents {
  return {
    async connecting(agent) {
      const { role, node } = agent;
      const epoch = await reconciler.connecting(agent);
      if (!reconciler.admission()) throw new Refusal(503, 'the manifests have not been read yet');
      if (role === 'edge' && !reconciler.hasNode(node))
        throw new Refusal(404, `no EdgeNode is called ${node}`);
      return epoch;
    },
    connected(session, held) {
      const { role, node } = session.identity;
      // Commands that the node missed go out before the plan: it must not serve on with what it should forget.
      reconciler.event({ type: 'connect', role, node, held });
      if (role === 'dns-server') session.send({ type: 'table', table: reconciler.table() });
      const plan = reconciler.plan(role);
      if (!plan) return;
      session.offer(plan);
      // It holds just this plan: nothing will be sent, so nothing would be acked.
      if (compareRevisions(plan.revision, held) === 0) {
        reconciler.event({ type: 'report', role, node, report: { type: 'ack', revision: held } });
      }
    },
    disconnected: ({ role, node }) => reconciler.event({ type: 'disconnect', role, node }),
    reported: ({ role, node }, report) => reconciler.event({ type: 'report', role, node, report }),
    async force({ node, state, until }) {
      if (!reconciler.hasNode(node)) throw new Refusal(404, `no EdgeNode is called ${node}`);
      const forced = state === 'Auto' ? undefined : { state, ...(until !== undefined && { until }) };
      await reconciler.force(node, forced);
    },
    resources: () => reconciler.resources(),
    routing: () => reconciler.routing(),
  };
}

/** What agents say, as events for the reconciler; and what people ask of it over the same port. */
import { compareRevisions } from '../../contract/plans/revision.ts';
import type { Reconciler } from '../reconcile.ts';
import type { Desk } from '../relay/switchboard.ts';
import type { LoadBook } from './load-book.ts';
import { Refusal } from './refusal.ts';
import type { Views } from './stream-server.ts';
import type { UsageBook } from './usage-book.ts';

export interface Books {
  loads: LoadBook;
  usage: UsageBook;
  /** Tells the edge that its batches are counted. */
  usageTaken: (node: string, ids: string[]) => void;
}

export function agentEvents(reconciler: Reconciler, { loads, usage, usageTaken }: Books): Desk {
  return {
    async connecting(agent) {
      const { role, node } = agent;
      const epoch = await reconciler.connecting(agent);
      if (role === 'edge' && !reconciler.hasNode(node))
        throw new Refusal(404, `no EdgeNode is called ${node}`);
      return epoch;
    },
    connected({ role, node }, held, resumed) {
      // Commands that the node missed go out before the plan: it must not serve on with what it should forget.
      reconciler.event({ type: 'connect', role, node, held, resumed });
      const plan = reconciler.plan(role);
      // It holds just this plan: nothing will be sent, so nothing would be acked.
      if (plan && compareRevisions(plan.revision, held) === 0) {
        reconciler.event({ type: 'report', role, node, report: { type: 'ack', revision: held } });
      }
    },
    disconnected: ({ role, node }) => reconciler.event({ type: 'disconnect', role, node }),
    reported({ role, node }, report) {
      if (report.type === 'load') loads.note(node, report);
      // Of no consequence for any decision.
      if (report.type === 'usage') {
        usage.note(node, report.batches);
        return usageTaken(
          node,
          report.batches.map(({ id }) => id),
        );
      }
      reconciler.event({ type: 'report', role, node, report });
    },
    plan: (role) => reconciler.plan(role),
    table: () => reconciler.table(),
  };
}

export function views(reconciler: Reconciler): Views {
  return {
    async force({ node, state, until }) {
      if (!reconciler.hasNode(node)) throw new Refusal(404, `no EdgeNode is called ${node}`);
      const forced = state === 'Auto' ? undefined : { state, ...(until !== undefined && { until }) };
      await reconciler.force(node, forced);
    },
    resources: () => reconciler.resources(),
    routing() {
      const view = reconciler.routing();
      if (!view) throw new Refusal(503, 'no plan has been published yet');
      return view;
    },
  };
}

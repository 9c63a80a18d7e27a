/**
 * Decide: (state, event, now) -> { state, effects }. Pure. Folds snapshots, connections, reports and the clock into the
 * node table and commands; the conditions people see are read off the state (status/).
 *
 * A missing report never withdraws anything; only facts do.
 */
import { connectNode, followHealth, rowsOf } from './nodes.ts';
import { release } from './parents-first.ts';
import { judgeRefusals, plansPublished, quarantinesKept } from './quarantine.ts';
import { dnsServerReported, edgeReported, planJudged } from './reports.ts';
import { snapshotTaken } from './snapshot-taken.ts';
import type { DecideEvent, DecideState, Decision } from './state.ts';
import { commandEffects, commandsFor, inTurn, quiet, sendable, withDnsServer, withNode } from './steps.ts';
import { ticked } from './ticked.ts';
import { freshVotes } from './votes.ts';

export function decide(state: DecideState, event: DecideEvent, now: number): Decision {
  const decision = release(decideEvent(state, event, now), event, now);
  if (isOneOfMany(event)) return decision;
  const votes = freshVotes(decision.state.dnsServers, now);
  const { voters } = votes;
  const nodes = followHealth(decision.state.nodes, votes, now);
  const next = { ...decision.state, nodes };
  const rows = rowsOf(nodes, votes, { now, before: state.rows });
  if (rows === state.rows && voters.join() === state.voters.join()) {
    return nodes === decision.state.nodes ? decision : { ...decision, state: next };
  }
  return {
    state: { ...next, rows, voters },
    effects: [...decision.effects, { type: 'table', rows, voters }],
  };
}

/**
 * A thousand nodes report at once, or lose their streams at once, and each table goes through all of them. After reports
 * it follows with `gathered`; that a node is cut off is in no row.
 */
function isOneOfMany(event: DecideEvent): boolean {
  return event.type === 'report' || (event.type === 'disconnect' && event.role === 'edge');
}

function decideEvent(state: DecideState, event: DecideEvent, now: number): Decision {
  switch (event.type) {
    case 'snapshot':
      return snapshotTaken(state, event.snapshot, now);
    case 'published': {
      const { snapshot, plans, quarantined } = event;
      return quiet(quarantinesKept(plansPublished(state, snapshot, plans), quarantined));
    }
    case 'connect':
      return event.role === 'edge'
        ? edgeConnected(state, event)
        : quiet(withDnsServer(state, event.node, { connected: true, acked: event.held }));
    case 'disconnect':
      return event.role === 'edge'
        ? quiet(withNode(state, event.node, (node) => ({ ...node, connected: false })))
        : quiet(withDnsServer(state, event.node, { connected: false }));
    case 'report':
      return inTurn(
        event.role === 'edge'
          ? edgeReported(state, event.node, event.report, now)
          : quiet(dnsServerReported(state, event.node, event.report, now)),
        (after) => planJudged(after, event, now),
      );
    case 'force':
      return quiet(withNode(state, event.node, (node) => ({ ...node, forced: event.forced })));
    case 'gathered':
      return quiet(state);
    case 'tick':
      return inTurn(ticked(state, now), (after) => judgeRefusals(after, now));
  }
}

function edgeConnected(state: DecideState, event: Extract<DecideEvent, { type: 'connect' }>): Decision {
  const { node: name, held, resumed = false } = event;
  const node = state.nodes.get(name);
  if (!node) return quiet(state);
  const commands = commandsFor(state, name);
  const wasThere = node.presumed || (resumed && node.connected);
  return {
    state: withNode(state, name, () => connectNode(node, { held, pending: commands, wasThere })),
    effects: commandEffects(name, sendable(state, name, commands)),
  };
}

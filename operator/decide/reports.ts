/** An agent said something: what of it the state keeps. Pure. */
import type { Report, Role } from '../../contract/stream/messages.ts';
import { nodeAcked, nodeFailed } from './jobs.ts';
import { afterLoad, type LoadReport, utilisation } from './load.ts';
import { commandDone, planAcked, revalidationFailed } from './nodes.ts';
import { judgeRefusals, planRefused, plansTaken } from './quarantine.ts';
import type { DecideState, Decision, NodeState } from './state.ts';
import { quiet, withDnsServer, withJob, withNode } from './steps.ts';

export function edgeReported(state: DecideState, name: string, report: Report, now: number): Decision {
  switch (report.type) {
    case 'ack':
      return quiet(withNode(state, name, (node) => planAcked(node, report.revision)));
    case 'nack': {
      const { revision, fault, message } = report;
      return quiet(withNode(state, name, (node) => ({ ...node, nack: { revision, fault, message } })));
    }
    case 'done': {
      const acked = withJob(state, report.uid, (job) => nodeAcked(job, name, report.objects, now));
      return quiet(withNode(acked, name, (node) => commandDone(node, report.uid)));
    }
    case 'failed': {
      const failed = withJob(state, report.uid, (job) => nodeFailed(job, name, report.message, now));
      return quiet(withNode(failed, name, (node) => revalidationFailed(node, report.uid, now)));
    }
    case 'load':
      return quiet(withNode(state, name, (node) => loadReported(node, report, now)));
    case 'health':
    case 'unmatched':
    case 'usage':
      return quiet(state);
  }
}

export function dnsServerReported(
  state: DecideState,
  name: string,
  report: Report,
  now: number,
): DecideState {
  switch (report.type) {
    case 'ack':
      return withDnsServer(state, name, { acked: report.revision, nack: undefined });
    case 'nack': {
      const { revision, fault, message } = report;
      return withDnsServer(state, name, { nack: { revision, fault, message } });
    }
    case 'health':
      return withDnsServer(state, name, { health: report.nodes, healthAt: now });
    case 'done':
    case 'failed':
    case 'load':
    case 'unmatched':
    case 'usage':
      return state;
  }
}

/** What a verdict on a plan says of the resources in it. */
export function planJudged(
  state: DecideState,
  { role, node, report }: { role: Role; node: string; report: Report },
  now: number,
): Decision {
  if (report.type === 'ack') return plansTaken(state, role, report.revision);
  if (report.type !== 'nack') return quiet(state);
  return judgeRefusals(planRefused(state, role, node, report, now), now);
}

function loadReported(node: NodeState, report: LoadReport, now: number): NodeState {
  const load = afterLoad(node.load, utilisation(report, node.capacity), now);
  return load === node.load ? node : { ...node, load };
}

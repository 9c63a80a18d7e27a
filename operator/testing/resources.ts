/** For tests: accepted resources without manifests, and a decide state that is folded by hand. */

import { cdnDomain } from '../../contract/kinds/cdn-domain.ts';
import { edgeNode } from '../../contract/kinds/edge-node.ts';
import type { CdnDomain, EdgeNode, PurgeJob } from '../../contract/kinds/kinds.ts';
import { purgeJob } from '../../contract/kinds/purge-job.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import { decide } from '../decide/decide.ts';
import {
  type DecideEvent,
  type DecideState,
  type Effect,
  initialState,
  type Restored,
} from '../decide/state.ts';
import { inTurn } from '../decide/steps.ts';
import { AT } from './manifests.ts';

function meta(name: string, namespace: string, uid = `uid-${name}`, labels: Record<string, string> = {}) {
  return { name, namespace, uid, generation: 1, creationTimestamp: AT, labels, annotations: {} };
}

export function domain(name: string): CdnDomain {
  const origins = [{ name: 'main', url: 'http://192.0.2.1' }];
  const spec = cdnDomain.spec.parse({ hostname: `${name}.example.com`, origins });
  return { kind: 'CdnDomain', metadata: meta(name, 'demo'), spec };
}

export function node(name: string, labels?: Record<string, string>): EdgeNode {
  const spec = edgeNode.spec.parse({ addresses: ['192.0.2.1'], region: 'us-west' });
  return { kind: 'EdgeNode', metadata: meta(name, '', `uid-${name}`, labels), spec };
}

export function job(name: string, spec: Record<string, unknown> = {}): PurgeJob {
  const full = purgeJob.spec.parse({ domainRef: { name: 'video' }, everything: true, ...spec });
  return { kind: 'PurgeJob', metadata: meta(name, 'demo'), spec: full };
}

export function snapshot(
  nodes: readonly (EdgeNode | string)[],
  jobs: readonly (PurgeJob | string)[] = [],
): Snapshot {
  return {
    domains: [domain('video')],
    nodes: nodes.map((row) => (typeof row === 'string' ? node(row) : row)),
    jobs: jobs.map((row) => (typeof row === 'string' ? job(row) : row)),
    certificates: [],
  };
}

export const NOTHING_RESTORED: Restored = { nodes: new Map(), jobs: new Map() };

/** A leader at work: events in, what it decided kept for a look. */
export class Leader {
  state: DecideState;
  /** Milliseconds since the epoch; each event takes one. */
  now: number;
  /** All effects so far. */
  readonly effects: Effect[] = [];

  constructor(restored: Restored = NOTHING_RESTORED, now = Date.parse(AT)) {
    this.state = initialState(restored);
    this.now = now;
  }

  /** Feeds one event and returns its effects. */
  on(event: DecideEvent): Effect[] {
    this.now += 1;
    const reported = decide(this.state, event, this.now);
    const { state, effects } = inTurn(reported, (after) => decide(after, { type: 'gathered' }, this.now));
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  snapshot(nodes: Parameters<typeof snapshot>[0], jobs?: Parameters<typeof snapshot>[1]): Effect[] {
    return this.on({ type: 'snapshot', snapshot: snapshot(nodes, jobs) });
  }

  connect(name: string, epoch = 1, seq = 1, resumed = false): Effect[] {
    return this.on({ type: 'connect', role: 'edge', node: name, held: { epoch, seq }, resumed });
  }

  disconnect(name: string): Effect[] {
    return this.on({ type: 'disconnect', role: 'edge', node: name });
  }

  ack(name: string, epoch = 1, seq = 1): Effect[] {
    return this.on({
      type: 'report',
      role: 'edge',
      node: name,
      report: { type: 'ack', revision: { epoch, seq } },
    });
  }

  done(name: string, uid: string, objects = 1): Effect[] {
    return this.on({
      type: 'report',
      role: 'edge',
      node: name,
      report: { type: 'done', uid, objects, durationMs: 1 },
    });
  }

  failed(name: string, uid: string): Effect[] {
    return this.on({
      type: 'report',
      role: 'edge',
      node: name,
      report: { type: 'failed', uid, message: 'disk full' },
    });
  }

  /** Time passes, then the clock ticks. */
  tick(seconds: number): Effect[] {
    this.now += seconds * 1_000;
    return this.on({ type: 'tick' });
  }

  row(name: string) {
    return this.state.rows.find((row) => row.node === name);
  }

  outcome(name: string) {
    return this.state.jobs.get(`uid-${name}`)?.outcome?.type;
  }

  /** What the node has to revalidate with, if it has to. */
  revalidation(name: string): string | undefined {
    return this.state.nodes.get(name)?.revalidation;
  }

  /** Connects a node that acks at once all that it is sent, and the plan. */
  settle(name: string, epoch = 1, seq = 1): void {
    for (const uid of commandsTo(name, this.connect(name, epoch, seq))) this.done(name, uid);
    this.ack(name, epoch, seq);
  }
}

/** Uids of the commands that went to a node, in order. */
export function commandsTo(name: string, effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === 'command' && effect.node === name ? [effect.command.uid] : [],
  );
}

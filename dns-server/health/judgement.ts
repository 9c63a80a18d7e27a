/**
 * From what the own probes see to what answers go by:
 *
 *     probes ─> mass-down protection ─┬─> told to the operator, as this server's vote
 *     node table (votes of others) ───┴─> majority ─> answers
 *
 * Votes count while the line to the operator is up, or was a moment ago: alone, a server goes by its own view.
 */
import { EMPTY_TABLE, type NodeTable } from '../../contract/plans/node-table.ts';
import type { RoutingNode } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { majorityHealth } from './majority.ts';
import { type MassDown, NO_MASS_DOWN, watchMassDown, withHeld } from './mass-down.ts';

type Nodes = HealthReport['nodes'];

/** An operator that restarts is back within this time; votes that are older say nothing of now. */
const VOTES_FRESH_MS = 30_000;
/** How soon it is noticed that votes are no longer fresh. */
const LOOK_MS = 5_000;

export interface JudgementOptions {
  /** This server's name among the voters. */
  self: string;
  clock: Clock;
  log: Log;
  connected: () => boolean;
  /** What answers go by from now on. */
  onHealth: (nodes: Nodes) => void;
  /** This server's own view, for the operator and the state folder. */
  onVote: (nodes: Nodes) => void;
  onMassDown: (held: number) => void;
}

export class Judgement {
  readonly #options: JudgementOptions;
  readonly #stopLooking: () => void;
  #seen: Nodes = [];
  #own: Nodes = [];
  #table: NodeTable = EMPTY_TABLE;
  #massDown: MassDown = NO_MASS_DOWN;
  #roundMs = 0;
  #connectedAt = Number.NEGATIVE_INFINITY;
  #told = '';

  constructor(options: JudgementOptions) {
    this.#options = options;
    this.#stopLooking = options.clock.every(LOOK_MS, () => this.#judge());
  }

  /** How far apart turns of one cause can lie follows from how the nodes are probed. */
  follow(nodes: readonly RoutingNode[]): void {
    const rounds = nodes.map(
      ({ healthCheck: { intervalMs, failureThreshold, timeoutMs } }) =>
        intervalMs * failureThreshold + timeoutMs,
    );
    this.#roundMs = Math.max(0, ...rounds);
  }

  probed(nodes: Nodes): void {
    this.#seen = nodes;
    const before = this.#massDown;
    this.#massDown = watchMassDown(before, nodes, this.#options.clock.now(), this.#roundMs);
    this.#tellMassDown(before.held.size, nodes.length);
    this.#own = withHeld(this.#seen, this.#massDown);
    this.#options.onVote(this.#own);
    this.#judge();
  }

  useTable(table: NodeTable): void {
    this.#table = table;
    this.#judge();
  }

  stop(): void {
    this.#stopLooking();
  }

  #judge(): void {
    const { self, clock, connected, onHealth } = this.#options;
    const now = clock.now();
    if (connected()) this.#connectedAt = now;
    const fresh = now - this.#connectedAt <= VOTES_FRESH_MS;
    const health = fresh ? majorityHealth(this.#own, self, this.#table) : this.#own;
    const text = canonicalJson(health);
    if (text === this.#told) return;
    this.#told = text;
    onHealth(health);
  }

  #tellMassDown(before: number, of: number): void {
    const held = this.#massDown.held.size;
    if (held === before) return;
    const { log, onMassDown } = this.#options;
    onMassDown(held);
    if (before === 0)
      log.error({ held, of }, 'more than half of the nodes went down at once: their states are kept');
    else if (held === 0) log.info('the nodes are judged by their probes again');
  }
}

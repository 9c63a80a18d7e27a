/**
 * The agent: the part of a dns-server or an edge that holds the stream to the operator.
 *
 *     credential ─> line (TLS, as this node) ─> stream, reports
 *     stream ──plan──> refuse lower? ─> digest, schema ─> prepare ─> write, fsync ─> commit ─> ack
 *            ──table─> merge with the rows held ─> write, fsync ─> onTable              (dns-server)
 *            ──secrets─> digests ─> write, fsync ─> onSecrets                           (dns-server)
 *            ──command─> onCommand ─> done | failed                                     (edge)
 *     disk ──> prepare ─> commit          at start, with no operator
 *
 * On any failure it keeps what it has and nacks.
 */
import type { NodeTable } from '../contract/plans/node-table.ts';
import type { PublishedEdgePlan, PublishedRoutingPlan } from '../contract/plans/published-plan.ts';
import type { Command, Report, Role } from '../contract/stream/messages.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export interface PlanOf {
  'dns-server': PublishedRoutingPlan;
  edge: PublishedEdgePlan;
}

export interface AgentOptions<R extends Role> {
  role: R;
  /** The EdgeNode's name, or any stable name of a dns-server. */
  node: string;
  /** `https://127.0.0.1:8700`; several replicas separated by commas, of which any will do. */
  operator: string;
  /** Where the first certificate comes from; none once there is one. */
  joinTokenFile?: string | undefined;
  serviceAccountTokenFile?: string | undefined;
  /** The operator's CAs in a file, beside those that came with the certificate. */
  operatorCa?: string | undefined;
  /** The agent's own folder, for its plan, table and certificate. */
  folder: string;
  /** Where the certificate lies, when not in that folder. */
  credential?: string | undefined;
  /** By which its certificate is renewed, and how far agents keep apart at that. */
  clock?: Clock;
  random?: () => number;
  log: Log;
  /** A stream on which nothing came for this long is opened anew; three heartbeats by default. */
  silenceMs?: number;
  /**
   * Builds all that serving the plan needs, aside from what is served now; may be slow, may throw. What it returns
   * swaps that in, in one assignment in each process, and cannot fail. A LocalFault is nacked as Local, anything else as Invalid.
   */
  prepare: (published: PlanOf[R]) => Promise<() => void | Promise<void>>;
  /** What to hold when a newer plan comes: pure. By default the newer one as it is. */
  merge?: (held: PlanOf[R], newer: PlanOf[R]) => PlanOf[R];
  /** A new node table, already merged with the rows held and durable. */
  onTable?: (table: NodeTable) => void;
  /** Secrets never touch the disk: after a restart there are none until the operator was reached. */
  secretsInMemory?: boolean;
  /** How long a secret that the operator takes away may still be needed by what is served; not at all by default. */
  secretsLingerMs?: () => number;
  /** All secrets that it is to hold, by name: those on disk at first, then whenever they are others. Must not throw. */
  onSecrets?: (values: ReadonlyMap<string, string>) => void;
  /** Applies a command durably, once per uid, and says what it did. */
  onCommand?: (command: Command) => Promise<{ objects: number; durationMs: number }>;
}

/** A fault of this machine (disk, memory), not of the plan. */
export class LocalFault extends Error {}

export interface Agent<R extends Role> {
  /** Loads what is on disk and puts it in force. Resolves before anything is asked of the network. */
  load(): Promise<void>;
  /** Opens the stream and keeps it open, until `stop`. */
  connect(): void;
  /** Puts a report in the queue; queued reports survive a lost connection, newest first for health. */
  report(report: Report): void;
  held(): PlanOf[R] | undefined;
  table(): NodeTable;
  connected(): boolean;
  stop(): Promise<void>;
}

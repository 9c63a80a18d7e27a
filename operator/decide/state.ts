/**
 * What the leader knows beside the resources: what agents reported, and how far each job came. It may all be lost:
 * what must survive is in the resources' status, and agents report again when they connect.
 */
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { PurgeJob } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { ForcedState, NodeRow } from '../../contract/plans/node-table.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Command, HealthReport, Report, Role } from '../../contract/stream/messages.ts';
import type { Snapshot } from '../admit/snapshot.ts';
import type { Capacity, LoadState } from './load.ts';
import { noQuarantine, type Quarantined, type QuarantineState } from './quarantine.ts';

export interface NodeState {
  connected: boolean;
  /**
   * An earlier leader left it connected, and agents have not had the time to find this one: it is the leader that went
   * away, not the node. Until that time is over nothing is said against it, also where it takes several connections
   * (replicas refuse those who come before they hear the new leader).
   */
  presumed: boolean;
  /** It has connected in this run, and whether it may answer is ours to say: not what an earlier leader left. */
  heard: boolean;
  /** What the agent last said that it serves, or what an earlier leader wrote down of it. */
  acked: Revision | undefined;
  /** It acked a plan of this run, so that its revision compares with those that this run gives out. */
  confirmed: boolean;
  /**
   * Its row may be published. A node that we have no record of is left out until it revalidated and acked: a row that
   * is missing withdraws nothing at dns-servers that know better.
   */
  known: boolean;
  /** It missed a purge: the command that it has to do, also after a restart of ours. */
  revalidation: string | undefined;
  /** When a revalidation that failed is sent again. */
  retryAt: number | undefined;
  /** Uids of commands that it has to ack before it may answer; empty means admitted. */
  gates: ReadonlySet<string>;
  nack: { revision: Revision; fault: 'Local' | 'Invalid'; message: string } | undefined;
  /** What its load leaves of its weight, and what it can carry. */
  load: LoadState;
  capacity: Capacity;
  /** All dns-servers' majority sees it down; after that, when it came back: its slow start counts from there. */
  down: boolean;
  recoveredAt: number | undefined;
  /** What somebody said of its health (`weir force`). */
  forced: ForcedState | undefined;
}

export interface DnsServerState {
  connected: boolean;
  acked: Revision;
  nack: NodeState['nack'];
  health: HealthReport['nodes'];
  /** When it last told it, in milliseconds since the epoch. */
  healthAt: number | undefined;
}

/** How one targeted node stands to a job: nothing said yet, tried and failed, or done. */
export interface JobNode {
  acked: boolean;
  failure: { message: string; attempts: number; retryAt: number } | undefined;
}

export interface JobState {
  job: PurgeJob;
  command: Command;
  /** Milliseconds since the epoch. */
  startTime: number;
  nodes: ReadonlyMap<string, JobNode>;
  /** How many of them have not acked: a thousand acks ask whether that was the last. */
  missing: number;
  /** Those of them that are parents, and those that wait for them: it was not sent to these yet. */
  parents: ReadonlySet<string>;
  held: ReadonlySet<string>;
  objects: number;
  outcome: JobOutcome | undefined;
  /** Its time to live has ended and its removal was asked for. */
  expired: boolean;
}

export interface JobOutcome {
  type: 'Complete' | 'Failed';
  reason: 'AllNodesAcked' | 'DeadlineExceeded' | 'NoNodeSelected' | 'NoNodeLeft';
  message: string;
  at: number;
}

/** What earlier leaders wrote into the status of resources. */
export interface Restored {
  /** By EdgeNode name. */
  nodes: ReadonlyMap<string, EdgeNodeStatus>;
  /** By PurgeJob uid. */
  jobs: ReadonlyMap<string, PurgeJobStatus>;
  /** By `resourceKey`. */
  quarantined?: ReadonlyMap<string, Quarantined>;
}

export interface DecideState {
  nodes: ReadonlyMap<string, NodeState>;
  dnsServers: ReadonlyMap<string, DnsServerState>;
  jobs: ReadonlyMap<string, JobState>;
  rows: readonly NodeRow[];
  /** The dns-servers whose views the rows are made of. */
  voters: readonly string[];
  quarantine: QuarantineState;
  restored: Restored;
  /** When the nodes that are presumed to be connected have had their time, in milliseconds since the epoch. */
  presumedUntil: number | undefined;
}

export type DecideEvent =
  | { type: 'snapshot'; snapshot: Snapshot }
  /** Plans of that snapshot are out; `quarantined`: the resources of which a refused form stands in a manifest. */
  | {
      type: 'published';
      snapshot: Snapshot;
      plans: Record<Role, Revision>;
      quarantined: ReadonlySet<string>;
    }
  /** `resumed`: the stream has been open all the time, it is only told again. */
  | { type: 'connect'; role: Role; node: string; held: Revision; resumed?: boolean }
  | { type: 'disconnect'; role: Role; node: string }
  | { type: 'report'; role: Role; node: string; report: Report }
  | { type: 'force'; node: string; forced: ForcedState | undefined }
  /** Reports came: a table is made of what they changed. */
  | { type: 'gathered' }
  | { type: 'tick' };

export type Effect =
  | { type: 'table'; rows: readonly NodeRow[]; voters: readonly string[] }
  | { type: 'command'; node: string; command: Command }
  /** The quarantine changed: the manifests are to be looked at again. */
  | { type: 'readmit' }
  /** The EdgeNode is no more: its stream ends, so that it begins anew should it come back. */
  | { type: 'dismiss'; node: string }
  /** A finished job outlived its ttlSecondsAfterFinished. */
  | { type: 'expire'; ref: ObjectRef };

export interface Decision {
  state: DecideState;
  effects: Effect[];
}

export function initialState(restored: Restored): DecideState {
  const quarantine = noQuarantine(restored.quarantined ?? new Map());
  return {
    nodes: new Map(),
    dnsServers: new Map(),
    jobs: new Map(),
    rows: [],
    voters: [],
    quarantine,
    restored,
    presumedUntil: undefined,
  };
}

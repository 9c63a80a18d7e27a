/**
 * The relay: between the replicas, which hold the agents' streams, and the leader, which decides.
 *
 *     agents ── stream server ── Sessions ──Uplink──> Switchboard ── reconciler
 *                                         <─Downlink──
 *
 * The two interfaces are implemented by direct calls within the leader's own process, and by Redis (`redis/`) for the
 * other replicas. Either may lose what it was given: then all open streams are announced again, and the leader answers
 * each as it answers an agent that connects. That is the one way in which anything heals here, so nothing has to be
 * kept for a leader, a replica or a Redis that is gone: plans and tables are the leader's, commands are sent until they
 * are acked, agents tell anew what they hold.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Command, Report, Role } from '../../contract/stream/messages.ts';
import type { Refusal } from '../publish/refusal.ts';

export interface AgentIdentity {
  role: Role;
  node: string;
}

/** What an agent says of itself when it opens a stream. */
export interface Caller extends AgentIdentity {
  held: Revision;
  /** The highest epoch met so far. */
  seen: number;
  /** The operator's run that published the plan held; empty for none. */
  run: string;
}

/** One stream, by the name that the replica which holds it made up for it. */
export interface Call extends Caller {
  session: string;
  /** It has been open for a while: what is new is the leader, or the link to it. */
  resumed: boolean;
}

export type Verdict = Extract<Report, { type: 'ack' | 'nack' | 'unmatched' }>;

export const isVerdict = (report: Report): report is Verdict =>
  report.type === 'ack' || report.type === 'nack' || report.type === 'unmatched';

/** To the leader, from one replica. In order, or lost. */
export interface Uplink {
  /** Answered by `greet`, or by `refuse`. `replica`: which one holds the stream, where a link is for several. */
  connect(call: Call, replica?: string): void;
  disconnect(session: string, agent: AgentIdentity): void;
  /**
   * Resolves when the agent may forget them; throws a Refusal when it should tell them again, or elsewhere. `judged`:
   * the agent's stream is here too, and its session heard the verdicts among them.
   */
  report(agent: AgentIdentity, reports: Report[], judged: boolean): Promise<void>;
}

/** From the leader, to one replica or to several. In order, or lost. Sessions that a replica does not hold are not its. */
export interface Downlink {
  /** Also to every agent of that role whose stream opens later. */
  plan(role: Role, plan: PublishedPlan): void;
  /** Also to every dns-server whose stream opens later. */
  table(table: NodeTable): void;
  greet(session: string, epoch: number): void;
  refuse(session: string, refusal: Refusal): void;
  command(session: string, command: Command): void;
  /** It was sent the commands that it missed: table and plan may follow. */
  settle(session: string): void;
  /** The agent's verdict on a plan, which it told another replica. */
  judge(session: string, verdict: Verdict): void;
  end(session: string): void;
}

/** An uplink where no leader is to be reached: every call gets the refusal of the moment. */
export function turnAway(down: Pick<Downlink, 'refuse'>, refusal: () => Refusal): Uplink {
  return {
    connect: ({ session, resumed }) => {
      // Whose stream is open keeps it: it serves what it holds.
      if (!resumed) down.refuse(session, refusal());
    },
    disconnect: () => {},
    report: async () => {
      throw refusal();
    },
  };
}

/**
 * The leader's end of all links: which agent is on which stream of which replica. Of two streams of one agent the newer
 * counts, wherever it is: its machine rebooted, its network cut it off, or its replica is gone.
 */
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Command, Report, Role } from '../../contract/stream/messages.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { Refusal } from '../publish/refusal.ts';
import {
  type AgentIdentity,
  type Call,
  type Caller,
  type Downlink,
  isVerdict,
  type Uplink,
} from './relay.ts';

/** What becomes of what agents say: the reconciler's side. */
export interface Desk {
  /** The epoch to greet with; a refusal is thrown. */
  connecting(agent: Caller): Promise<number>;
  /** Sends the agent the commands that it missed. */
  connected(agent: AgentIdentity, held: Revision, resumed: boolean): void;
  disconnected(agent: AgentIdentity): void;
  reported(agent: AgentIdentity, report: Report): void;
  /** As they are now. */
  plan(role: Role): PublishedPlan | undefined;
  table(): NodeTable;
}

interface Line {
  session: string;
  agent: AgentIdentity;
  down: Downlink;
  replica: string | undefined;
}

const keyOf = ({ role, node }: AgentIdentity) => `${role}/${node}`;

export class Switchboard {
  readonly #desk: Desk;
  readonly #log: Log;
  readonly #links = new Set<Downlink>();
  /** By agent. */
  readonly #lines = new Map<string, Line>();
  /** Sessions whose agent is not greeted yet. */
  readonly #ringing = new Set<string>();

  constructor(desk: Desk, log: Log) {
    this.#desk = desk;
    this.#log = log;
  }

  /** A way to agents: it is told what is out, and from now on what comes. */
  attach(down: Downlink): Uplink {
    this.#links.add(down);
    this.refresh(down);
    return {
      connect: (call, replica) => void this.#connect(down, call, replica),
      disconnect: (session, agent) => this.disconnect(session, agent),
      report: async (agent, reports, judged) => this.#report(agent, reports, judged),
    };
  }

  /** Tells all that is out, to a link that may have lost it. */
  refresh(down: Downlink): void {
    for (const role of ['edge', 'dns-server'] as const) {
      const plan = this.#desk.plan(role);
      if (plan) down.plan(role, plan);
    }
    down.table(this.#desk.table());
  }

  plan(role: Role, plan: PublishedPlan): void {
    for (const link of this.#links) link.plan(role, plan);
  }

  table(table: NodeTable): void {
    for (const link of this.#links) link.table(table);
  }

  /** One that is not connected hears it when it is. */
  command(agent: AgentIdentity, command: Command): void {
    const line = this.#lines.get(keyOf(agent));
    line?.down.command(line.session, command);
  }

  end(agent: AgentIdentity): void {
    const line = this.#lines.get(keyOf(agent));
    line?.down.end(line.session);
  }

  disconnect(session: string, agent: AgentIdentity): void {
    this.#ringing.delete(session);
    if (this.#lines.get(keyOf(agent))?.session !== session) return;
    this.#lines.delete(keyOf(agent));
    this.#desk.disconnected(agent);
  }

  async #connect(down: Downlink, call: Call, replica: string | undefined): Promise<void> {
    const { session, role, node, held, resumed } = call;
    this.#ringing.add(session);
    try {
      const epoch = await this.#desk.connecting(call);
      if (!this.#ringing.delete(session)) return;
      const agent = { role, node };
      const before = this.#lines.get(keyOf(agent));
      this.#lines.set(keyOf(agent), { session, agent, down, replica });
      if (before && before.session !== session) before.down.end(before.session);
      down.greet(session, epoch);
      // It is a replica that went away, and not the agent: that one comes to another before it is missed.
      const moved = before !== undefined && (before.down !== down || before.replica !== replica);
      this.#desk.connected(agent, held, resumed || moved);
      down.settle(session);
    } catch (error) {
      this.#ringing.delete(session);
      down.refuse(session, this.#refusalOf(error));
    }
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    this.#log.error({ err: error }, 'an agent can not be let in');
    return new Refusal(503, messageOf(error));
  }

  #report(agent: AgentIdentity, reports: Report[], judged: boolean): void {
    const line = this.#lines.get(keyOf(agent));
    for (const report of reports) {
      if (!judged && isVerdict(report)) line?.down.judge(line.session, report);
      this.#desk.reported(agent, report);
    }
  }
}

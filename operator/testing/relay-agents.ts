/** For tests of the relay: agents without a network, and a desk that writes down what it is told. */
import { EMPTY_TABLE, type NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { formatRevision, NO_REVISION } from '../../contract/plans/revision.ts';
import { type Role, type StreamMessage, streamMessage } from '../../contract/stream/messages.ts';
import { Refusal } from '../publish/refusal.ts';
import type { Sessions } from '../publish/sessions.ts';
import type { Caller } from '../relay/relay.ts';
import type { Desk } from '../relay/switchboard.ts';

export const REVALIDATE = (uid: string) => ({ type: 'revalidateAll' as const, uid });

export function edgePlan(seq: number, epoch = 3): PublishedPlan {
  return { revision: { epoch, seq }, digest: '', run: `run-${epoch}`, plan: { domains: [] } };
}

export const nodeTable = (seq: number, epoch = 3): NodeTable => ({ version: { epoch, seq }, rows: [] });

function shown(message: StreamMessage): string {
  if (message.type === 'command') return `command ${message.command.uid}`;
  if (message.type === 'table') return `table ${formatRevision(message.table.version)}`;
  // The test published it.
  if (message.type === 'plan') return `plan ${formatRevision((message.published as PublishedPlan).revision)}`;
  return message.type;
}

/** One stream; what came down it is in `got`. */
export class RelayAgent {
  readonly got: string[] = [];
  readonly caller: Caller;
  readonly #sessions: Sessions;
  #session = '';

  constructor(sessions: Sessions, role: Role, node: string, held = NO_REVISION, run = '') {
    this.#sessions = sessions;
    this.caller = { role, node, held, seen: held.epoch, run };
  }

  connect(): this {
    this.#session = this.#sessions.open(
      this.caller,
      { digest: '', contract: 1 },
      {
        greet: (epoch) => void this.got.push(`hello ${epoch}`),
        refuse: ({ status, message }) => this.#ended(`refused ${status} ${message}`),
        write: (line) => void this.got.push(shown(streamMessage.parse(JSON.parse(line.toString())))),
        end: () => this.#ended('end'),
      },
    );
    return this;
  }

  ack(seq: number, epoch = 3): Promise<void> {
    return this.report({ type: 'ack', revision: { epoch, seq } });
  }

  done(uid: string): Promise<void> {
    return this.report({ type: 'done', uid, objects: 1, durationMs: 1 });
  }

  report(report: Parameters<Sessions['report']>[1][number], by: Sessions = this.#sessions): Promise<void> {
    return by.report(this.caller, [report]);
  }

  hangUp(): void {
    this.#sessions.close(this.#session);
  }

  #ended(how: string): void {
    this.got.push(how);
    this.#sessions.close(this.#session);
  }
}

export interface TestDesk extends Desk {
  seen: string[];
  /** Sent to an edge whenever it connects. */
  pending: string[];
  /** Carries out what `pending` says. */
  command: (node: string, uid: string) => void;
}

/** Knows the nodes a, b and c. */
export function testDesk(epoch = 3): TestDesk {
  const desk: TestDesk = {
    seen: [],
    pending: [],
    command: () => {},
    async connecting({ node }) {
      await new Promise(setImmediate);
      if (!['a', 'b', 'c', 'dns-1'].includes(node)) throw new Refusal(404, `no EdgeNode is called ${node}`);
      return epoch;
    },
    connected({ node }, held, resumed) {
      desk.seen.push(`${resumed ? 'resume' : 'connect'} ${node} ${formatRevision(held)}`);
      for (const uid of desk.pending) desk.command(node, uid);
    },
    disconnected: ({ node }) => void desk.seen.push(`disconnect ${node}`),
    reported({ node }, report) {
      const detail =
        'revision' in report ? formatRevision(report.revision) : 'uid' in report ? report.uid : '';
      desk.seen.push(`${report.type} ${node} ${detail}`);
    },
    plan: () => undefined,
    table: () => ({ ...EMPTY_TABLE, version: { epoch, seq: 0 } }),
  };
  return desk;
}

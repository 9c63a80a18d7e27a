/** For tests: an agent without a disk. It acks what it is sent at once, unless it is told to be silent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import {
  type Command,
  REPORTS_PATH,
  type Report,
  type Role,
  STREAM_PATH,
  streamMessage,
} from '../../contract/stream/messages.ts';
import { readNdjson } from '../../lib/ndjson.ts';

interface Memory {
  held: Revision;
  run: string;
}

export class FakeAgent {
  readonly role: Role;
  readonly node: string;
  readonly plans: PublishedPlan[] = [];
  readonly tables: NodeTable[] = [];
  readonly commands: Command[] = [];
  silent = false;
  /** What it says `Invalid` to, by the names of the domains in a plan; it keeps the plan before. */
  refuses: (domains: readonly RefusedDomain[]) => RefusedDomain | undefined = () => undefined;
  connected = false;
  epoch = 0;
  memory: Memory = { held: NO_REVISION, run: '' };
  readonly #ending = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(role: Role, node: string, memory?: Memory) {
    this.role = role;
    this.node = node;
    if (memory) this.memory = memory;
  }

  /** Resolves when the operator lets it in; it may not have read its folder yet. */
  async connect(operator: string, token: string): Promise<this> {
    const { held, run } = this.memory;
    const query = { role: this.role, node: this.node, ...held, seen: held.epoch, run, contract: '1' };
    const headers = { authorization: `Bearer ${token}` };
    const { signal } = this.#ending;
    for (let tries = 0; ; tries++) {
      const { statusCode, body } = await request(`${operator}${STREAM_PATH}`, { query, headers, signal });
      if (statusCode === 200) {
        this.connected = true;
        this.#ended = this.#follow(body, operator, headers)
          .catch(() => {})
          .finally(() => {
            this.connected = false;
          });
        return this;
      }
      const text = await body.text();
      if (tries > 200) throw new Error(`${statusCode} ${text}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async #follow(
    body: AsyncIterable<Uint8Array>,
    operator: string,
    headers: Record<string, string>,
  ): Promise<void> {
    const say = async (...reports: Report[]) => {
      if (this.silent) return;
      const text = JSON.stringify({ role: this.role, node: this.node, reports });
      const response = await request(`${operator}${REPORTS_PATH}`, { method: 'POST', headers, body: text });
      await response.body.dump();
    };
    for await (const line of readNdjson(body)) {
      const message = streamMessage.parse(line);
      if (message.type === 'hello') this.epoch = message.epoch;
      if (message.type === 'table') this.tables.push(message.table);
      if (message.type === 'plan') {
        // The operator of this test made it.
        const plan = message.published as PublishedPlan;
        const refused = this.refuses(plan.plan.domains);
        if (refused) {
          await say(refusal(plan, refused));
          continue;
        }
        this.plans.push(plan);
        this.memory = { held: plan.revision, run: plan.run };
        await say({ type: 'ack', revision: plan.revision });
      }
      if (message.type === 'command') {
        this.commands.push(message.command);
        await say({ type: 'done', uid: message.command.uid, objects: 2, durationMs: 1 });
      }
    }
  }
}

type RefusedDomain = PublishedPlan['plan']['domains'][number];

function refusal({ revision }: PublishedPlan, { namespace, name }: RefusedDomain): Report {
  const resources = [{ kind: 'CdnDomain' as const, namespace, name }];
  return { type: 'nack', revision, fault: 'Invalid', message: 'no such rule', resources };
}

/** For tests: an agent without a disk. It acks what it is sent at once, unless it is told to be silent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
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
import { joinAs, type OperatorPlace } from './trust.ts';

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
  #line: Dispatcher | undefined;
  #say = async (_reports: Report[]) => {};

  constructor(role: Role, node: string, memory?: Memory) {
    this.role = role;
    this.node = node;
    if (memory) this.memory = memory;
  }

  /** Joins and opens its stream. Resolves when the operator lets it in; it may not have read its folder yet. */
  async connect(place: OperatorPlace): Promise<this> {
    for (let tries = 0; ; tries++) {
      try {
        this.#line ??= await joinAs(place, this.role, this.node);
        return await this.#open(place.url, this.#line);
      } catch (error) {
        if (tries > 200) throw error;
        await sleep(20);
      }
    }
  }

  async #open(operator: string, dispatcher: Dispatcher): Promise<this> {
    const { held, run } = this.memory;
    const query = { role: this.role, node: this.node, ...held, seen: held.epoch, run, contract: '1' };
    const { signal } = this.#ending;
    const url = `${operator}${STREAM_PATH}`;
    const { statusCode, body } = await request(url, { query, dispatcher, signal });
    if (statusCode !== 200) throw new Error(`${statusCode} ${await body.text()}`);
    this.connected = true;
    this.#say = async (reports) => {
      const text = JSON.stringify({ role: this.role, node: this.node, reports });
      const answer = await request(`${operator}${REPORTS_PATH}`, { method: 'POST', dispatcher, body: text });
      await answer.body.dump();
    };
    this.#ended = this.#follow(body)
      .catch(() => {})
      .finally(() => {
        this.connected = false;
      });
    return this;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
    await this.#line?.destroy();
  }

  /** Says something of the test's own, silent or not. */
  say(...reports: Report[]): Promise<void> {
    return this.#say(reports);
  }

  async #follow(body: AsyncIterable<Uint8Array>): Promise<void> {
    const say = async (...reports: Report[]) => {
      if (!this.silent) await this.#say(reports);
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

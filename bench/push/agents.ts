/**
 * A process with many agents: each holds a stream, hashes what comes, writes it to a file of its own, fsyncs, and acks.
 * Told by its parent where to connect; tells it when each agent had got, kept and acked each thing.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { REPORTS_PATH, STREAM_PATH } from '../../contract/stream/messages.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { joinAs, type OperatorPlace, unknownTo } from '../../operator/testing/trust.ts';
import { nodeName } from '../compile/fleet.ts';

export interface Orders {
  place: OperatorPlace;
  agents: number;
  folder: string;
  /** One that certifies agents; a bare sender does not. */
  joins: boolean;
}

/** Of one agent and one thing that it was sent; milliseconds since the epoch. */
export interface Seen {
  type: 'seen';
  /** `plan 3.7`, `command UID`. */
  what: string;
  got: number;
  kept: number;
  acked: number;
  bytes: number;
}

const JOINS_AT_ONCE = 8;

const message = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('plan'),
    published: z.object({ revision: z.unknown(), digest: z.string(), run: z.string() }),
  }),
  z.object({
    type: z.literal('delta'),
    delta: z.object({ revision: z.unknown(), digest: z.string(), run: z.string() }),
  }),
  z.object({ type: z.literal('command'), command: z.object({ uid: z.string() }) }),
]);
const revision = z.object({ epoch: z.number(), seq: z.number() });

/** What the first agent was given whole: the others say that they hold it too, so that nobody sends it to them. */
const held = { epoch: 0, seq: 0, digest: '', run: '' };

const nowMs = () => performance.timeOrigin + performance.now();

class BenchAgent {
  readonly #node: string;
  readonly #line: Dispatcher;
  readonly #place: OperatorPlace;
  readonly #file: FileHandle;
  /** Resolves when the first plan is in. */
  readonly ready = Promise.withResolvers<void>();

  constructor(node: string, line: Dispatcher, place: OperatorPlace, file: FileHandle) {
    this.#node = node;
    this.#line = line;
    this.#place = place;
    this.#file = file;
  }

  async connect(): Promise<void> {
    const query = { role: 'edge', node: this.#node, ...held, seen: held.epoch, contract: '2,1' };
    const { statusCode, body } = await request(`${this.#place.url}${STREAM_PATH}`, {
      query,
      dispatcher: this.#line,
      bodyTimeout: 0,
    });
    if (statusCode !== 200) throw new Error(`${this.#node}: ${statusCode} ${await body.text()}`);
    // An agent whose stream ends would be waited for in vain.
    this.#follow(body).then(() => fail(new Error(`${this.#node}: the stream ended`)), fail);
    if (held.epoch > 0) this.ready.resolve();
  }

  async #follow(body: AsyncIterable<Buffer>): Promise<void> {
    let parts: Buffer[] = [];
    for await (const chunk of body) {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        await this.#take(Buffer.concat([...parts, chunk.subarray(from, end)]));
        parts = [];
        from = end + 1;
      }
      parts.push(chunk.subarray(from));
    }
  }

  async #take(line: Buffer): Promise<void> {
    const got = nowMs();
    const read = message.safeParse(JSON.parse(line.toString()));
    if (!read.success) return;
    createHash('sha256').update(line).digest();
    await this.#file.write(line, 0, line.length, 0);
    await this.#file.datasync();
    const kept = nowMs();
    const [what, report] = this.#verdict(read.data);
    await this.#say(report);
    const seen: Seen = { type: 'seen', what, got, kept, acked: nowMs(), bytes: line.length };
    process.send?.(seen);
    if (what.startsWith('plan')) this.ready.resolve();
  }

  #verdict(read: z.infer<typeof message>): [string, object] {
    if (read.type === 'command') {
      const { uid } = read.command;
      return [`command ${uid}`, { type: 'done', uid, objects: 1, durationMs: 1 }];
    }
    const { digest, run, ...rest } = read.type === 'plan' ? read.published : read.delta;
    const { epoch, seq } = revision.parse(rest.revision);
    Object.assign(held, { epoch, seq, digest, run });
    return [`plan ${epoch}.${seq}`, { type: 'ack', revision: { epoch, seq } }];
  }

  async #say(report: object): Promise<void> {
    const { body } = await request(`${this.#place.url}${REPORTS_PATH}`, {
      method: 'POST',
      dispatcher: this.#line,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ role: 'edge', node: this.#node, reports: [report] }),
    });
    await body.dump();
  }
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

/** Held on to: what is only a stream's is taken away with its file. */
const running: BenchAgent[] = [];

async function obey({ place, agents, folder, joins }: Orders): Promise<void> {
  const start = async (index: number) => {
    const node = nodeName(index);
    const line = joins ? await joinAs(place, 'edge', node) : unknownTo(place);
    const agent = new BenchAgent(node, line, place, await open(join(folder, node), 'w'));
    running.push(agent);
    await agent.connect();
    await agent.ready.promise;
  };
  Object.assign(held, { epoch: 0, seq: 0, digest: '', run: '' });
  await start(0);
  const others = Array.from({ length: agents - 1 }, (_, index) => index + 1);
  await inParallel(others, JOINS_AT_ONCE, start);
  process.send?.({ type: 'connected' });
}

process.on('message', (orders: Orders) => {
  obey(orders).catch(fail);
});

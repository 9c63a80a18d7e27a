/** An agent that speaks contract 1 and nothing else: what it did on the line, kept as it was. */
import { request } from 'undici';
import type { z } from 'zod';
import { readNdjson } from '../../lib/ndjson.ts';
import { planDigest, publishedEdgePlan, publishedRoutingPlan, streamMessage } from './frozen.ts';

type Message = z.infer<typeof streamMessage>;
type Plan = z.infer<typeof publishedEdgePlan> | z.infer<typeof publishedRoutingPlan>;

export class OldAgent {
  readonly role: 'edge' | 'dns-server';
  readonly node: string;
  readonly messages: Message[] = [];
  /** What it could not read: it hung up over it. */
  readonly faults: unknown[] = [];
  held: Plan | undefined;
  readonly #ending = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(role: 'edge' | 'dns-server', node: string) {
    this.role = role;
    this.node = node;
  }

  /** False when the operator turns it away. */
  async connect(operator: string, token: string): Promise<boolean> {
    const { epoch = 0, seq = 0 } = this.held?.revision ?? {};
    const headers = { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`${operator}/v1/stream`, {
      query: {
        role: this.role,
        node: this.node,
        epoch,
        seq,
        seen: epoch,
        run: this.held?.run ?? '',
        contract: '1',
      },
      headers,
      signal: this.#ending.signal,
    });
    if (statusCode !== 200) {
      await body.dump();
      return false;
    }
    this.#ended = this.#follow(body, operator, headers).catch((error: unknown) => {
      if (!this.#ending.signal.aborted) this.faults.push(error);
    });
    return true;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async #follow(body: AsyncIterable<Uint8Array>, operator: string, headers: Record<string, string>) {
    for await (const line of readNdjson(body)) {
      const message = streamMessage.parse(line);
      this.messages.push(message);
      const report = this.#take(message);
      if (!report) continue;
      const response = await request(`${operator}/v1/reports`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ role: this.role, node: this.node, reports: [report] }),
      });
      if (response.statusCode !== 204)
        throw new Error(`${response.statusCode} ${await response.body.text()}`);
    }
  }

  #take(message: Message): object | undefined {
    if (message.type === 'command')
      return { type: 'done', uid: message.command.uid, objects: 0, durationMs: 1 };
    if (message.type !== 'plan') return undefined;
    const schema = this.role === 'edge' ? publishedEdgePlan : publishedRoutingPlan;
    const published = schema.parse(message.published);
    if (planDigest(published.plan) !== published.digest) throw new Error('the digest is another');
    this.held = published;
    return { type: 'ack', revision: published.revision };
  }
}

/**
 * An agent that speaks contract 1 and nothing else: what it did on the line, kept as it was. How it is let in is that of
 * today: it is no part of the contract's versions.
 */
import { type Dispatcher, request } from 'undici';
import type { z } from 'zod';
import { readNdjson } from '../../lib/ndjson.ts';
import { joinAs, type OperatorPlace } from '../../operator/testing/trust.ts';
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
  #line: Dispatcher | undefined;

  constructor(role: 'edge' | 'dns-server', node: string) {
    this.role = role;
    this.node = node;
  }

  /** False when the operator turns it away. */
  async connect(place: OperatorPlace): Promise<boolean> {
    const operator = place.url;
    this.#line ??= await joinAs(place, this.role, this.node);
    const dispatcher = this.#line;
    const { epoch = 0, seq = 0 } = this.held?.revision ?? {};
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
      dispatcher,
      signal: this.#ending.signal,
    });
    if (statusCode !== 200) {
      await body.dump();
      return false;
    }
    this.#ended = this.#follow(body, operator, dispatcher).catch((error: unknown) => {
      if (!this.#ending.signal.aborted) this.faults.push(error);
    });
    return true;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
    await this.#line?.destroy();
  }

  async #follow(body: AsyncIterable<Uint8Array>, operator: string, dispatcher: Dispatcher) {
    for await (const line of readNdjson(body)) {
      const message = streamMessage.parse(line);
      this.messages.push(message);
      const report = this.#take(message);
      if (!report) continue;
      const response = await request(`${operator}/v1/reports`, {
        method: 'POST',
        dispatcher,
        headers: { 'content-type': 'application/json' },
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

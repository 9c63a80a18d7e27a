/** An operator that speaks contract 1 and nothing else: it picks the version, sends plans whole, and is strict. */
import type { ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { z } from 'zod';
import { ndjsonLine } from '../../lib/ndjson.ts';
import { playOperator } from '../../operator/testing/play-operator.ts';
import { type OperatorPlace, TOKEN } from '../../operator/testing/trust.ts';
import { planDigest, publishedEdgePlan, reports, streamMessage, streamQuery } from './frozen.ts';

export class OldOperator {
  readonly queries: z.infer<typeof streamQuery>[] = [];
  readonly reports: z.infer<typeof reports>['reports'] = [];
  /** What it answered 400 or 426 to. */
  readonly refused: string[] = [];
  readonly #streams = new Set<ServerResponse>();
  place: OperatorPlace = { url: '', ca: '', token: TOKEN };
  #stop = async () => {};

  async start(): Promise<this> {
    const { stop, ...place } = await playOperator((request, response) => {
      const url = new URL(request.url ?? '/', 'https://old');
      if (url.pathname === '/v1/stream') this.#open(url, response);
      else void json(request).then((body) => this.#take(body, response));
    });
    this.place = place;
    this.#stop = stop;
    return this;
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  publish(seq: number, plan: z.infer<typeof publishedEdgePlan>['plan']): void {
    const published = { revision: { epoch: 1, seq }, digest: planDigest(plan), run: 'old', plan };
    this.send({ type: 'plan', published: publishedEdgePlan.parse(published) });
  }

  send(message: z.infer<typeof streamMessage>): void {
    for (const stream of this.#streams) stream.write(ndjsonLine(streamMessage.parse(message)));
  }

  #take(body: unknown, response: ServerResponse): void {
    const told = reports.safeParse(body);
    if (told.success) this.reports.push(...told.data.reports);
    else this.refused.push(told.error.message);
    response.writeHead(told.success ? 204 : 400).end();
  }

  #open(url: URL, response: ServerResponse): void {
    const query = streamQuery.parse(Object.fromEntries(url.searchParams));
    this.queries.push(query);
    if (!query.contract.includes(1)) {
      this.refused.push(`contract ${query.contract.join(',')}`);
      response.writeHead(426).end();
      return;
    }
    response.writeHead(200);
    response.write(ndjsonLine({ type: 'hello', contract: 1, epoch: 1 }));
    this.#streams.add(response);
  }
}

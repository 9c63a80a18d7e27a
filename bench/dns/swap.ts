/**
 * How long clients wait while a plan of 100,000 domains is swapped in: an operator that sends another plan, and a client
 * that asks at a steady pace all the while.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { REPORTS_PATH, type Reports } from '../../contract/stream/messages.ts';
import { textTable } from '../../lib/text-table.ts';
import { playOperator } from '../../operator/testing/play-operator.ts';
import { queriesFor } from './queries.ts';
import { end, start } from './running.ts';
import { planOf, publishedOf, tableOf, weir } from './weir.ts';
import { type World, worldOf } from './world.ts';

const DOMAINS = 100_000;
const PER_MS = 2;
const QUIET_MS = 5_000;

export async function measureSwap(folder: string, healthPort: number): Promise<void> {
  const world = worldOf(DOMAINS);
  const plan = planOf(world, healthPort);
  let stream: ServerResponse | undefined;
  let acked = (_seq: number) => {};
  const operator = await playOperator((request, response) => {
    if (request.url !== REPORTS_PATH) {
      stream = response;
      send({ type: 'hello', contract: 1, epoch: 1 });
      send({ type: 'table', table: tableOf(plan) });
      return;
    }
    void request.toArray().then((chunks) => {
      const { reports } = JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as Reports;
      for (const report of reports) if (report.type === 'ack') acked(report.revision.seq);
      response.writeHead(204).end();
    });
  });
  const send = (message: object) => stream?.write(`${JSON.stringify(message)}\n`);
  const server = weir('weir', ['--batch', 'on', '--workers', '1'], operator);
  const running = await start(server, join(folder, 'swap'), world, healthPort);
  const quiet = await latencies(running.port, world, sleep(QUIET_MS));
  const changed = { ...plan, domains: plan.domains.map((domain) => ({ ...domain, ttl: domain.ttl + 1 })) };
  const swapped = new Promise<void>((resolve) => {
    acked = (seq) => (seq === 2 ? resolve() : undefined);
  });
  const began = performance.now();
  send({ type: 'plan', published: publishedOf(changed, 2) });
  const during = await latencies(running.port, world, swapped);
  const seconds = (performance.now() - began) / 1_000;
  await operator.stop();
  await end(running.child);
  const row = (name: string, { waited, lost }: Latencies) => [
    name,
    String(waited.length),
    ...[0.5, 0.99, 0.999, 1].map((part) => quantile(waited, part).toFixed(2)),
    String(lost),
  ];
  const titles = ['', 'QUERIES', 'P50 MS', 'P99 MS', 'P99.9 MS', 'MAX MS', 'LOST'];
  console.log(`\na plan of ${DOMAINS} domains is swapped in, in ${seconds.toFixed(1)} s`);
  console.log(textTable([titles, row('before', quiet), row('meanwhile', during)]).join('\n'));
}

interface Latencies {
  /** Milliseconds, from the shortest on. */
  waited: number[];
  lost: number;
}

/** Asks until `over`, and waits for what is still under way. */
async function latencies(port: number, world: World, over: Promise<unknown>): Promise<Latencies> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const sent = new Map<number, number>();
  const waited: number[] = [];
  socket.on('message', (answer) => {
    const id = answer.readUInt16BE(0);
    const at = sent.get(id);
    if (at !== undefined) waited.push(performance.now() - at);
    sent.delete(id);
  });
  const queries = [...queriesFor(world, { ecs: true, dnssec: false }, 0x1_0000)];
  let next = 0;
  const pace = setInterval(() => {
    for (let each = 0; each < PER_MS; each++) {
      const query = queries[next % queries.length] ?? Buffer.alloc(0);
      query.writeUInt16BE(next & 0xffff, 0);
      sent.set(next & 0xffff, performance.now());
      socket.send(query);
      next++;
    }
  }, 1);
  await over;
  clearInterval(pace);
  await sleep(1_000);
  socket.close();
  return { waited: waited.sort((a, b) => a - b), lost: sent.size };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

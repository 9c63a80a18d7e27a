/**
 * How long clients wait while a plan of 100,000 domains is swapped in: an operator that sends another plan, and a client
 * that asks at a steady pace all the while.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { HEARTBEAT_MS, REPORTS_PATH, type Reports } from '../../contract/stream/messages.ts';
import { textTable } from '../../lib/text-table.ts';
import { playOperator } from '../../operator/testing/play-operator.ts';
import type { OperatorPlace } from '../../operator/testing/trust.ts';
import { end, start } from './running.ts';
import type { Latencies, SteadyJob } from './steady-client.ts';
import { planOf, publishedOf, tableOf, weir } from './weir.ts';
import { worldOf } from './world.ts';

const DOMAINS = 100_000;
const QUIET_MS = 5_000;
const CONNECT_MS = 30_000;
const SWAP_MS = 120_000;

export async function measureSwap(folder: string, healthPort: number): Promise<void> {
  const world = worldOf(DOMAINS);
  const plan = planOf(world, healthPort);
  await using operator = await startOperator(plan);
  const server = weir('weir', ['--batch', 'on', '--workers', '1'], operator.place);
  const running = await start(server, join(folder, 'swap'), world, healthPort);
  try {
    await within(CONNECT_MS, operator.connected, 'the dns-server does not connect');
    const quiet = await latencies(running.port, sleep(QUIET_MS));
    const began = performance.now();
    const domains = plan.domains.map((domain) => ({ ...domain, ttl: domain.ttl + 1 }));
    const swapped = within(SWAP_MS, operator.publish({ ...plan, domains }), 'the plan is not acked');
    const during = await latencies(running.port, swapped);
    print(quiet, during, (performance.now() - began) / 1_000);
  } finally {
    await end(running.child);
  }
}

interface BenchOperator extends AsyncDisposable {
  place: OperatorPlace;
  /** The dns-server holds a stream. */
  connected: Promise<void>;
  /** Until it is acked; fails where it is refused. */
  publish(plan: RoutingPlan): Promise<void>;
}

async function startOperator(first: RoutingPlan): Promise<BenchOperator> {
  const connected = Promise.withResolvers<void>();
  const acked = Promise.withResolvers<void>();
  let stream: ServerResponse | undefined;
  let newest: RoutingPlan | undefined;
  const send = (message: object) => stream?.write(`${JSON.stringify(message)}\n`);
  const sendPlan = () => newest && send({ type: 'plan', published: publishedOf(newest, 2) });
  // Without a sign of life the dns-server would hang up, and what is sent then is lost.
  const beats = setInterval(() => send({ type: 'heartbeat' }), HEARTBEAT_MS);
  const operator = await playOperator((request, response) => {
    if (request.url === REPORTS_PATH) {
      void request.toArray().then((chunks) => {
        const { reports } = JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as Reports;
        for (const report of reports) {
          if (report.type === 'ack' && report.revision.seq === 2) acked.resolve();
          if (report.type === 'nack') acked.reject(new Error(`the plan was refused: ${report.message}`));
        }
        response.writeHead(204).end();
      });
      return;
    }
    stream = response;
    send({ type: 'hello', contract: 1, epoch: 1 });
    send({ type: 'table', table: tableOf(first) });
    sendPlan();
    connected.resolve();
  });
  return {
    place: operator,
    connected: connected.promise,
    publish(plan) {
      newest = plan;
      sendPlan();
      return acked.promise;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(beats);
      await operator.stop();
    },
  };
}

/** Nothing here is waited for without an end. */
async function within(ms: number, what: Promise<void>, otherwise: string): Promise<void> {
  const given = new AbortController();
  const late = sleep(ms, undefined, { signal: given.signal }).then(() => {
    throw new Error(`${otherwise} within ${ms / 1_000} s`);
  });
  try {
    await Promise.race([what, late]);
  } finally {
    given.abort();
    late.catch(() => {});
  }
}

function print(quiet: Latencies, during: Latencies, seconds: number): void {
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

/** Asks until `over`, and waits for what is still under way. In a thread of its own: this one is busy with the plan. */
async function latencies(port: number, over: Promise<void>): Promise<Latencies> {
  const job: SteadyJob = { port, domains: DOMAINS };
  const client = new Worker(new URL('steady-client.ts', import.meta.url), { workerData: job });
  try {
    await over;
    client.postMessage('stop');
    const [measured] = (await once(client, 'message')) as [Latencies];
    return measured;
  } finally {
    await client.terminate();
  }
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

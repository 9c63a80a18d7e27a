/** A thread that asks at a steady pace until it is told to stop, and says how long each answer took. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { queriesFor } from './queries.ts';
import { worldOf } from './world.ts';

export interface SteadyJob {
  port: number;
  domains: number;
}

export interface Latencies {
  /** Milliseconds, from the shortest on. */
  waited: number[];
  lost: number;
}

const PER_MS = 2;
/** For what is still under way. */
const LAST_MS = 1_000;

const { port, domains } = workerData as SteadyJob;
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
const queries = [...queriesFor(worldOf(domains), { ecs: true, dnssec: false }, 0x1_0000)];
let next = 0;
const pace = setInterval(() => {
  for (let each = 0; each < PER_MS; each++, next++) {
    const query = queries[next % queries.length] ?? Buffer.alloc(0);
    query.writeUInt16BE(next & 0xffff, 0);
    sent.set(next & 0xffff, performance.now());
    socket.send(query);
  }
}, 1);
if (parentPort) await once(parentPort, 'message');
clearInterval(pace);
await sleep(LAST_MS);
socket.close();
const measured: Latencies = { waited: waited.sort((a, b) => a - b), lost: sent.size };
parentPort?.postMessage(measured);

/**
 * Memory of an edge while many clients read one large object slowly, from the moment its fetch begins: printed once a
 * second, with what they have read. Flat memory is the point: what is not read lies on disk, not in buffers.
 *
 *     node bench/slow-readers/main.ts [--readers 200] [--size 1024] [--rate 2] [--seconds 30]
 *
 * Size in MiB, rate in MiB per second and reader. The limit on slow clients is below that.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { listen } from '../../lib/listen.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { memoryMegabytes } from '../edge/process-cost.ts';
import { HOST, start, tlsSetup } from '../edge/server.ts';
import { weir } from '../edge/weir.ts';

const MIB = 1_048_576;
/** A reader takes so much, and waits until it may take more. */
const SIP_BYTES = 65_536;

const { values } = parseArgs({
  options: {
    readers: { type: 'string', default: '200' },
    size: { type: 'string', default: '1024' },
    rate: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '30' },
  },
});
const size = Number(values.size) * MIB;
const sipMs = (SIP_BYTES / (Number(values.rate) * MIB)) * 1_000;

const folder = await mkdtemp(join(tmpdir(), 'weir-slow-'));
const origin = createServer((request, response) => {
  const length = request.url === '/1k' ? 1_024 : size;
  response.writeHead(200, { 'cache-control': 'max-age=3600', 'content-length': length });
  const chunk = Buffer.alloc(256 * 1_024);
  let left = length;
  const more = () => {
    while (left > 0) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (!response.write(part)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
});
const { port: originPort } = await listen(origin, { host: '127.0.0.1', port: 0 });
const edge = await start(weir, { folder, port: await freePort(), tls: await tlsSetup(), originPort }, 0);
const before = memoryMegabytes(edge.pid);
const sockets: Socket[] = [];
let read = 0;
let peak = before;
let broken = 0;
try {
  for (let reader = 0; reader < Number(values.readers); reader++) sockets.push(openReader(edge.port));
  for (let second = 1; second <= Number(values.seconds); second++) {
    await wait(1_000);
    const now = memoryMegabytes(edge.pid);
    peak = Math.max(peak, now);
    print(`${second} s: ${now.toFixed(0)} MB, ${(read / MIB).toFixed(0)} MiB read, ${broken} broken off`);
  }
  print(
    `${sockets.length} readers of ${values.size} MiB: ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at the peak; ` +
      `${(read / MIB).toFixed(0)} MiB read, ${broken} broken off`,
  );
} finally {
  for (const socket of sockets) socket.destroy();
  await edge.stop();
  origin.closeAllConnections();
  origin.close();
  await rm(folder, { recursive: true, force: true });
}

function openReader(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /large HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  socket.on('data', (data) => {
    read += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), (sipMs * data.length) / SIP_BYTES);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    broken++;
  });
  return socket;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

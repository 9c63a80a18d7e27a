/** The origin of the benchmark, a process of its own: `/64k` is 64 KiB, fresh for a day. Prints its port. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { listen } from '../../lib/listen.ts';
import { sizeOfPath } from './cases.ts';

const CHUNK = Buffer.alloc(2 ** 20, 'weir');

const server = createServer((request, response) => {
  answer(request.url ?? '', request.headers.range, response).catch(() => response.destroy());
});

/** One range, as edges ask for slices, or the whole. */
async function answer(path: string, range: string | undefined, response: ServerResponse): Promise<void> {
  const whole = sizeOfPath(path);
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  const end = Math.min(Number(last ?? whole), whole - 1);
  const size = end + 1 - Number(first ?? 0);
  response.writeHead(first === undefined ? 200 : 206, {
    'cache-control': 'max-age=86400',
    'content-length': String(size),
    ...(first !== undefined && { 'content-range': `bytes ${first}-${end}/${whole}` }),
    // nginx serves ranges of those alone that say so.
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${whole}"`,
  });
  for (let sent = 0; sent < size; sent += CHUNK.length) {
    if (!response.write(CHUNK.subarray(0, size - sent))) await once(response, 'drain');
  }
  response.end();
}
server.keepAliveTimeout = 600_000;
const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
process.stdout.write(`${port}\n`);

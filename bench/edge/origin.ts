/** The origin of the benchmark, a process of its own: `/64k` is 64 KiB, fresh for a day. Prints its port. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { listen } from '../../lib/listen.ts';
import { sizeOfPath } from './cases.ts';

const CHUNK = Buffer.alloc(2 ** 20, 'weir');

const server = createServer((request, response) => {
  answer(request.url ?? '', response).catch(() => response.destroy());
});

async function answer(path: string, response: ServerResponse): Promise<void> {
  const size = sizeOfPath(path);
  response.writeHead(200, {
    'cache-control': 'max-age=86400',
    'content-length': String(size),
    // nginx serves ranges of those alone that say so.
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${size}"`,
  });
  for (let sent = 0; sent < size; sent += CHUNK.length) {
    if (!response.write(CHUNK.subarray(0, size - sent))) await once(response, 'drain');
  }
  response.end();
}
server.keepAliveTimeout = 600_000;
const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
process.stdout.write(`${port}\n`);

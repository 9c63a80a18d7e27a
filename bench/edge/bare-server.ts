/** `node bare-server.ts PORT TLS_PORT CHAIN KEY`: `/64k` is 64 KiB, whatever else the request says. */
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { LEAST_BYTES } from '../../edge/listen/kernel-copies.ts';
import { chooseSendFile, type SendFile } from '../../edge/listen/send-file.ts';
import { silentLog } from '../../lib/log.ts';
import { sizeOfPath } from './cases.ts';

interface Constant {
  size: number;
  head: string;
  whole: Buffer;
  /** Of the body. */
  fd: number;
}

const HOST = '127.0.0.1';
const [port, tlsPort, chain = '', key = ''] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'weir-bare-'));
const constants = new Map(['/1k', '/64k', '/10m'].map((path) => [path, constantOf(path)] as const));
rmSync(folder, { recursive: true });
const sendFile = await chooseSendFile('auto', silentLog);

function constantOf(path: string): Constant {
  const size = sizeOfPath(path);
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nConnection: keep-alive\r\n\r\n`;
  const body = Buffer.alloc(size, 'weir');
  const file = join(folder, String(size));
  writeFileSync(file, body);
  return { size, head, whole: Buffer.concat([Buffer.from(head), body]), fd: openSync(file, 'r') };
}

function serve(socket: Socket, sendFrom: SendFile | undefined): void {
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    const constant = constants.get(bytes.toString('latin1', 4, bytes.indexOf(32, 4)));
    if (constant === undefined) socket.destroy();
    else if (sendFrom === undefined || constant.size < LEAST_BYTES) socket.write(constant.whole);
    else {
      const { head, fd, size: length } = constant;
      sendFrom(
        socket,
        { head, parts: [{ file: { fd }, first: 0, length }] },
        (error) => error && socket.destroy(),
      );
    }
  });
}

createServer({ noDelay: true }, (socket) => serve(socket, sendFile)).listen(Number(port), HOST);
const certificate = { cert: readFileSync(chain), key: readFileSync(key) };
createTlsServer({ ...certificate, noDelay: true }, (socket) => serve(socket, undefined))
  .on('tlsClientError', () => {})
  .listen(Number(tlsPort), HOST);
process.on('SIGTERM', () => process.exit(0));

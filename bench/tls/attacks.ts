/** Clients of bad manners, as many as one process can play. */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { END_HEADERS, END_STREAM, frame, TYPES } from '../../edge/http2/frames.ts';
import { block, PREFACE } from '../../edge/testing/http2-frames.ts';
import { HOST } from '../edge/server.ts';

const CANCEL = Buffer.from([0, 0, 0, 8]);
const BATCH = 200;

/** Streams opened and reset as fast as they are taken; who is cut off comes back at once. */
export async function rapidReset(port: number, connections: number): Promise<() => Promise<void>> {
  return overAndOver(connections, (isOver) => resetStreams(port, isOver));
}

/** New handshakes as fast as they are done, and nothing asked. */
export async function handshakes(port: number, connections: number): Promise<() => Promise<void>> {
  return overAndOver(connections, () => handshake(port));
}

function overAndOver(
  connections: number,
  attack: (isOver: () => boolean) => Promise<void>,
): () => Promise<void> {
  let over = false;
  const run = async () => {
    while (!over) await attack(() => over);
  };
  const running = Array.from({ length: connections }, run);
  return async () => {
    over = true;
    await Promise.all(running);
  };
}

function handshake(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => socket.destroy());
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });
}

const ask = (stream: number) =>
  frame(
    TYPES.headers,
    END_STREAM | END_HEADERS,
    stream,
    block([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', HOST],
      [':path', `/r${stream}`],
    ]),
  );

function resetStreams(port: number, isOver: () => boolean): Promise<void> {
  let next = 1;
  const socket: TLSSocket = connect(
    { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
    () => {
      socket.write(PREFACE);
      more();
    },
  );
  const more = () => {
    if (isOver()) socket.destroy();
    if (socket.destroyed) return;
    const frames: Buffer[] = [];
    for (let count = 0; count < 50; count++, next += 2)
      frames.push(ask(next), frame(TYPES.reset, 0, next, CANCEL));
    socket.write(Buffer.concat(frames), () => setImmediate(more));
  };
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Connections that begin a handshake and do not go on with it. */
export async function halfOpen(port: number, count: number): Promise<() => Promise<void>> {
  const sockets: Socket[] = [];
  const begin = () =>
    new Promise<void>((resolve) => {
      const socket = connectPlain(port, '127.0.0.1', () => {
        socket.write('\x16\x03\x01\x02\x00\x01\x00', () => resolve());
      });
      socket.on('error', () => resolve());
      sockets.push(socket);
    });
  while (sockets.length < count) await Promise.all(Array.from({ length: BATCH }, begin));
  return async () => {
    for (const socket of sockets) socket.destroy();
  };
}

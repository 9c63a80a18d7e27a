/**
 * A stretch of a file to a client by sendfile(2), through `node:ffi` on Linux: the kernel hands the socket what it keeps
 * of the file, and no byte comes into this process. Elsewhere there is none of this, and bodies are read and written.
 *
 *     head ──> sendfile until the socket is full ──> read and write a little, the ordinary way ──> written: there is room
 */
import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { EdgeSettings } from '../../contract/config/edge-settings.ts';
import { importFfi } from '../../lib/ffi.ts';
import type { Log } from '../../lib/log.ts';

export interface FilePart {
  /** Goes out before it: status line and fields, in Latin-1. */
  head?: string;
  fd: number;
  /** Offset of its first byte. */
  first: number;
  length: number;
  /** Bytes that the kernel took from the file itself. */
  onSent?: (bytes: number) => void;
}

/** The file, not the client, is why it does not go on. */
export class FileFault extends Error {}

/** Calls `done` when all of it is with the kernel, or with what went wrong; maybe before it returns. */
export type SendFile = (socket: Socket, part: FilePart, done: Sent) => void;

export type Sent = (error: Error | undefined, bytes: number) => void;

export type SendfileMode = EdgeSettings['edge']['sendfile'];

/** Bytes of one call: with more, one client of a fast network would hold up all others. */
const MOST_AT_ONCE = 2 * 1_024 * 1_024;
/** What is written the ordinary way, to hear when a full socket has room: Node has no other way to ask. */
const WRITTEN_BYTES = 4_096;

/** Heads that are longer are written the ordinary way. */
const HEAD_ROOM_BYTES = 8_192;
/** Linux, on all architectures: more follows at once; do not wait; no SIGPIPE. */
const MSG_MORE = 0x8000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Both give how many bytes the socket took; less than none is an error, which the next ordinary write meets too. */
interface Calls {
  sendfile(socket: number, file: number, first: number, count: number): number;
  /** Of what will be a full packet with what follows. */
  sendHead(socket: number, head: string): number;
}

/** Nothing where it does not work, or is not wanted. */
export async function chooseSendFile(mode: SendfileMode, log: Log): Promise<SendFile | undefined> {
  if (mode === 'off') return undefined;
  try {
    return await loadSendFile();
  } catch (error) {
    if (mode === 'on') throw new Error('sendfile is on, and it does not work here', { cause: error });
    log.info({ err: error }, 'large bodies are read and written: sendfile does not work here');
    return undefined;
  }
}

async function loadSendFile(): Promise<SendFile> {
  if (process.platform !== 'linux') throw new Error(`${process.platform} is not Linux`);
  const ffi = await importFfi();
  const { functions } = ffi.dlopen('libc.so.6', {
    sendfile: { arguments: ['int32', 'int32', 'uint64', 'uint64'], return: 'int64' },
    send: { arguments: ['int32', 'uint64', 'uint64', 'int32'], return: 'int64' },
  });
  // The kernel reads the offset from memory, and writes it back.
  const offset = new BigInt64Array(1);
  const offsetAt = ffi.getRawPointer(offset);
  const room = Buffer.allocUnsafeSlow(HEAD_ROOM_BYTES);
  const roomAt = ffi.getRawPointer(room);
  const calls: Calls = {
    sendfile(socket, file, first, count) {
      offset[0] = BigInt(first);
      return Number(functions.sendfile(socket, file, offsetAt, BigInt(count)));
    },
    sendHead(socket, head) {
      const length = room.write(head, 'latin1');
      return Number(functions.send(socket, roomAt, BigInt(length), MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL));
    },
  };
  return (socket, part, done) => new Sending(calls, socket, part, done).start();
}

/** The socket's file descriptor, where bytes that are written to it reach the client as they are. */
export function plainDescriptor(socket: Socket): number {
  // `_handle` is not documented; what it is not (a TLS socket's, a closed one's) has no `fd` of a socket of our own.
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  return socket.constructor === Socket && typeof handle?.fd === 'number' ? handle.fd : -1;
}

class Sending {
  readonly #calls: Calls;
  readonly #socket: Socket;
  readonly #head: string;
  readonly #file: number;
  readonly #end: number;
  readonly #done: Sent;
  readonly #first: number;
  readonly #onSent: ((bytes: number) => void) | undefined;
  #at: number;
  #buffer: Buffer | undefined;

  constructor(calls: Calls, socket: Socket, part: FilePart, done: Sent) {
    this.#calls = calls;
    this.#socket = socket;
    this.#head = part.head ?? '';
    this.#file = part.fd;
    this.#first = part.first;
    this.#onSent = part.onSent;
    this.#at = part.first;
    this.#end = part.first + part.length;
    this.#done = done;
  }

  start(): void {
    this.#startHead();
    // What was written before must have left first.
    if (this.#socket.writableLength > 0) this.#socket.write('', (error) => this.#go(error));
    else this.#go(undefined);
  }

  /** Past Node's streams where nothing is in the way: they cost more than the rest of a small answer. */
  #startHead(): void {
    const head = this.#head;
    if (head === '') return;
    const fd = this.#socket.writableLength > 0 ? -1 : plainDescriptor(this.#socket);
    const sent = fd < 0 || head.length > HEAD_ROOM_BYTES ? 0 : Math.max(0, this.#calls.sendHead(fd, head));
    if (sent < head.length) this.#socket.write(head.slice(sent), 'latin1');
  }

  #go(error: Error | null | undefined): void {
    // Asked anew each time: the number of a socket that was closed may be another client's by now.
    const socket = plainDescriptor(this.#socket);
    if (error || this.#socket.destroyed || socket < 0) {
      this.#finish(error ?? new Error('the client has gone'));
      return;
    }
    const count = Math.min(this.#end - this.#at, MOST_AT_ONCE);
    const sent = this.#calls.sendfile(socket, this.#file, this.#at, count);
    // A fault shows again in the read or the write below, with its reason.
    if (sent > 0) {
      this.#at += sent;
      this.#onSent?.(sent);
    }
    if (this.#at === this.#end) this.#finish(undefined);
    else this.#writeSome();
  }

  #writeSome(): void {
    this.#buffer ??= Buffer.allocUnsafeSlow(WRITTEN_BYTES);
    const length = Math.min(this.#end - this.#at, WRITTEN_BYTES);
    let read: number;
    try {
      read = readSync(this.#file, this.#buffer, 0, length, this.#at);
      if (read === 0) throw new Error(`a stored body ended at ${this.#at}, before ${this.#end}`);
    } catch (cause) {
      this.#finish(new FileFault('a stored body cannot be read', { cause }));
      return;
    }
    this.#at += read;
    this.#socket.write(this.#buffer.subarray(0, read), (error) =>
      this.#at === this.#end && !error ? this.#finish(undefined) : this.#go(error),
    );
  }

  #finish(error: Error | undefined): void {
    this.#done(error, this.#at - this.#first);
  }
}

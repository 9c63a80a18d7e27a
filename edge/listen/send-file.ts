/**
 * Stretches of files to a client by sendfile(2): the kernel hands the socket what it keeps of the files, and no byte
 * comes into this process. Where that does not work there is none of this, and bodies are read and written.
 *
 *     head ──> sendfile until the socket is full ──> read and write a little, the ordinary way ──> written: there is room
 */
import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { EdgeSettings } from '../../contract/config/edge-settings.ts';
import type { Log } from '../../lib/log.ts';
import type { FilePart } from '../cache/byte-source.ts';
import { HEAD_ROOM_BYTES, loadSendfileCalls, type SendfileCalls } from './sendfile-calls.ts';

export interface ToSend {
  /** Goes out before it: status line and fields, in Latin-1. */
  head?: string;
  /** One behind the other; at least one. */
  parts: readonly FilePart[];
  /** Bytes that the kernel took from the files themselves. */
  onSent?: (bytes: number) => void;
}

/** The file, not the client, is why it does not go on. */
export class FileFault extends Error {}

/** Calls `done` when all of it is with the kernel, or with what went wrong; maybe before it returns. */
export type SendFile = (socket: Socket, what: ToSend, done: Sent) => void;

export type Sent = (error: Error | undefined, bytes: number) => void;

export type SendfileMode = EdgeSettings['edge']['sendfile'];

/** Bytes of one turn: with more, one client of a fast network would hold up all others. */
const MOST_AT_ONCE = 2 * 1_024 * 1_024;
/** What is written the ordinary way, to hear when a full socket has room: Node has no other way to ask. */
const WRITTEN_BYTES = 4_096;

/** Nothing where it does not work, or is not wanted. */
export async function chooseSendFile(mode: SendfileMode, log: Log): Promise<SendFile | undefined> {
  if (mode === 'off') return undefined;
  try {
    const calls = await loadSendfileCalls();
    const rooms = new Rooms();
    return (socket, what, done) => {
      const begun = sendAtOnce(calls, socket, what);
      if (begun.isAll) done(undefined, begun.bytes);
      else new Sending({ calls, rooms, socket }, { what, begun, done }).start();
    };
  } catch (error) {
    if (mode === 'on') throw new Error('sendfile is on, and it does not work here', { cause: error });
    log.info({ err: error }, 'large bodies are read and written: sendfile does not work here');
    return undefined;
  }
}

/** The socket's file descriptor, where bytes that are written to it reach the client as they are. */
export function plainDescriptor(socket: Socket): number {
  // `_handle` is not documented; what it is not (a TLS socket's, a closed one's) has no `fd` of a socket of our own.
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  return socket.constructor === Socket && typeof handle?.fd === 'number' ? handle.fd : -1;
}

/** What went without waiting: of the head, and of the first part. */
interface Begun {
  head: number;
  bytes: number;
  isAll: boolean;
  /** The socket takes no more for now. */
  isFull: boolean;
}

const NOTHING: Begun = { head: 0, bytes: 0, isAll: false, isFull: false };

/** Past Node's streams where nothing is in the way: they cost more than the rest of a small answer. */
function sendAtOnce(calls: SendfileCalls, socket: Socket, { head = '', parts, onSent }: ToSend): Begun {
  const fd = socket.writableLength > 0 || socket.destroyed ? -1 : plainDescriptor(socket);
  if (fd < 0 || head.length > HEAD_ROOM_BYTES) return NOTHING;
  const headSent = head === '' ? 0 : Math.max(0, calls.sendHead(fd, head));
  const [part] = parts;
  if (part === undefined || headSent < head.length) return { ...NOTHING, head: headSent };
  const count = Math.min(part.length, MOST_AT_ONCE);
  const bytes = Math.max(0, calls.sendfile(fd, part.file.fd, part.first, count));
  const isAll = bytes === part.length && parts.length === 1;
  if (!isAll) onSent?.(bytes);
  return { head: headSent, bytes, isAll, isFull: bytes < count };
}

/** What is read to be written lies in room that is used again: memory for each would keep the collector busy. */
class Rooms {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(WRITTEN_BYTES);
  }

  /** Not where a write broke off: the socket may hold it still. */
  giveBack(room: Buffer): void {
    this.#free.push(room);
  }
}

interface Way {
  calls: SendfileCalls;
  rooms: Rooms;
  socket: Socket;
}

class Sending {
  readonly #calls: SendfileCalls;
  readonly #rooms: Rooms;
  readonly #socket: Socket;
  readonly #what: ToSend;
  readonly #headLeft: string;
  readonly #isFull: boolean;
  readonly #done: Sent;
  /** The part that is on its way, and where in its file. */
  #part: FilePart | undefined;
  #next = 0;
  #at = 0;
  #bytes = 0;
  #room: Buffer | undefined;

  constructor(
    { calls, rooms, socket }: Way,
    { what, begun, done }: { what: ToSend; begun: Begun; done: Sent },
  ) {
    this.#calls = calls;
    this.#rooms = rooms;
    this.#socket = socket;
    this.#what = what;
    this.#headLeft = what.head?.slice(begun.head) ?? '';
    this.#done = done;
    this.#isFull = begun.isFull;
    this.#begin();
    if (this.#part !== undefined) this.#moved(this.#part, begun.bytes);
  }

  start(): void {
    if (this.#headLeft !== '') this.#socket.write(this.#headLeft, 'latin1');
    // What was written before must have left first.
    if (this.#socket.writableLength > 0) this.#socket.write('', this.#go);
    else if (this.#isFull && this.#part !== undefined) this.#writeSome(this.#part);
    else this.#go();
  }

  /** The next part, if there is one. */
  #begin(): void {
    this.#part = this.#what.parts[this.#next++];
    this.#at = this.#part?.first ?? 0;
  }

  readonly #go = (error?: Error | null): void => {
    if (this.#room !== undefined && !error) this.#rooms.giveBack(this.#room);
    this.#room = undefined;
    if (error) this.#finish(error);
    else this.#send();
  };

  #send(): void {
    for (let left = MOST_AT_ONCE; this.#part !== undefined; ) {
      // The socket would take more: the others first.
      if (left === 0) {
        setImmediate(this.#go);
        return;
      }
      // Asked anew each time: the number of a socket that was closed may be another client's by now.
      const socket = plainDescriptor(this.#socket);
      if (this.#socket.destroyed || socket < 0) {
        this.#finish(new Error('the client has gone'));
        return;
      }
      const part = this.#part;
      const count = Math.min(part.first + part.length - this.#at, left);
      const sent = Math.max(0, this.#calls.sendfile(socket, part.file.fd, this.#at, count));
      this.#what.onSent?.(sent);
      this.#moved(part, sent);
      // It is full. A fault shows again in the read or the write, with its reason.
      if (sent < count) {
        this.#writeSome(part);
        return;
      }
      left -= sent;
    }
    this.#finish(undefined);
  }

  #moved(part: FilePart, bytes: number): void {
    this.#at += bytes;
    this.#bytes += bytes;
    if (this.#at === part.first + part.length) this.#begin();
  }

  #writeSome(part: FilePart): void {
    const room = this.#rooms.take();
    const length = Math.min(part.first + part.length - this.#at, WRITTEN_BYTES);
    let read: number;
    try {
      read = readSync(part.file.fd, room, 0, length, this.#at);
      if (read === 0)
        throw new Error(`a stored body ended at ${this.#at}, before ${part.first + part.length}`);
    } catch (cause) {
      this.#finish(new FileFault('a stored body cannot be read', { cause }));
      return;
    }
    this.#moved(part, read);
    this.#room = room;
    this.#socket.write(read === room.length ? room : room.subarray(0, read), this.#go);
  }

  #finish(error: Error | undefined): void {
    this.#done(error, this.#bytes);
  }
}

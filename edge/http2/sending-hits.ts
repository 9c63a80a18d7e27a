/**
 * The answers of the fast path on one connection: heads at once, bodies as the stream's window and the socket allow, put
 * together into few large writes. A body in a file is read piece by piece, when there is room for the next one.
 */
import { read } from 'node:fs';
import type { Writable } from 'node:stream';
import type { HeldPart } from '../answer/ready-content.ts';
import type { ReadyHit } from '../answer/ready-hits.ts';
import type { Blocks } from '../cache/blocks.ts';
import { BLOCK_BYTES } from '../cache/stored-object.ts';
import { type ConnectionWindow, MOST_WINDOW } from './connection-window.ts';
import {
  END_HEADERS,
  END_STREAM,
  type FrameHead,
  HEAD_BYTES,
  MAX_PAYLOAD,
  numberFrame,
  TYPES,
  writeHead,
} from './frames.ts';

export interface HitToSend extends Pick<ReadyHit, 'body' | 'length'> {
  /** Its header block. */
  head: Buffer;
  /** Of its stream. */
  window: number;
  /** It is out, or will never be; so many bytes of the body went. */
  onEnd: (bytes: number) => void;
}

interface Sending extends HitToSend {
  stream: number;
  at: number;
  /** What of the body is in memory, and from where on. */
  piece: Buffer;
  pieceAt: number;
  /** What files are read into. */
  room: Buffer | undefined;
  isReading: boolean;
}

/** What is written at once, in room that is used again: memory for each would keep the collector busy. */
const MOST_WRITTEN = BLOCK_BYTES;
/** Less than this is not worth such room. */
const SMALL = 16_384;
const READ_BYTES = 128 * 1_024;
/** With so much in the socket that is not out, bodies wait: TLS would copy what it is given behind the first write. */
const MOST_UNSENT = 128 * 1_024;
/** RFC 9113 7. */
const INTERNAL_ERROR = 2;
const NOTHING = Buffer.alloc(0);

export class SendingHits {
  readonly #socket: Writable;
  readonly #window: ConnectionWindow;
  readonly #blocks: Blocks;
  readonly #onOut: () => void;
  readonly #waiting = new Map<number, Sending>();
  #frames: (FrameHead & { payload: Buffer })[] = [];
  /** Of these. */
  #length = 0;
  #unsent = 0;

  /** `onOut`: all that waited is with the socket. */
  constructor(
    socket: Writable,
    { window, blocks, onOut }: { window: ConnectionWindow; blocks: Blocks; onOut: () => void },
  ) {
    this.#socket = socket;
    this.#window = window;
    this.#blocks = blocks;
    this.#onOut = onOut;
  }

  /** Answers that are not out. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Of their bodies, what their streams have no window for. */
  get idle(): number {
    let bytes = 0;
    for (const { length, at, window } of this.#waiting.values())
      bytes += Math.max(0, length - at - Math.max(0, window));
    return bytes;
  }

  /** The connection's window was kept for it. */
  begin(stream: number, hit: HitToSend): void {
    const { head, body, length } = hit;
    this.#put(TYPES.headers, END_HEADERS | (length === 0 ? END_STREAM : 0), stream, head);
    const piece = Buffer.isBuffer(body) ? body : NOTHING;
    const own = { stream, at: 0, piece, pieceAt: 0, room: undefined, isReading: false };
    const sending = { ...hit, ...own };
    for (const { file } of filesOf(body)) file.hold();
    this.#waiting.set(stream, sending);
    this.#go(sending);
  }

  /** WINDOW_UPDATE; false where it is more than there may be. */
  open(stream: number, bytes: number): boolean {
    const sending = this.#waiting.get(stream);
    if (sending === undefined) return true;
    sending.window += bytes;
    return sending.window <= MOST_WINDOW;
  }

  /** RFC 9113 6.9.2: another first window concerns the streams that are open; false where one gets more than there may be. */
  resize(bytes: number): boolean {
    let most = 0;
    for (const sending of this.#waiting.values()) {
      sending.window += bytes;
      most = Math.max(most, sending.window);
    }
    return most <= MOST_WINDOW;
  }

  /** RST_STREAM: says whether it was one of these. */
  drop(stream: number): boolean {
    const sending = this.#waiting.get(stream);
    if (sending === undefined) return false;
    this.#window.letGo(sending.length - sending.at);
    this.#end(sending);
    return true;
  }

  /** The connection is closed. */
  dropAll(): void {
    for (const stream of this.#waiting.keys()) this.drop(stream);
  }

  /** What can go now of what waits. */
  goOn(): void {
    if (this.#waiting.size === 0) return;
    for (const sending of this.#waiting.values()) this.#go(sending);
    this.#tellIfOut();
  }

  /** To the socket in one piece, what was put together. */
  flush(): void {
    if (this.#frames.length === 0) return;
    const length = this.#length;
    const room = length < SMALL ? undefined : this.#blocks.room();
    const bytes = room?.take().subarray(0, length) ?? Buffer.allocUnsafe(length);
    let at = 0;
    for (const { payload, ...head } of this.#frames) {
      writeHead(bytes, at, head, payload.length);
      payload.copy(bytes, at + HEAD_BYTES);
      at += HEAD_BYTES + payload.length;
    }
    this.#frames = [];
    this.#length = 0;
    this.#unsent += length;
    this.#socket.write(bytes, (error) => {
      this.#unsent -= length;
      if (!error) room?.giveBack();
      if (error || this.#waiting.size === 0) return;
      this.goOn();
      this.flush();
    });
  }

  /** Whoever hears of it may end the socket: what was put together has to be there before. */
  #tellIfOut(): void {
    if (this.#waiting.size > 0) return;
    this.flush();
    this.#onOut();
  }

  #go(sending: Sending): void {
    while (sending.at < sending.length && sending.window > 0 && this.#unsent < MOST_UNSENT) {
      // What was kept may be lent.
      const { room } = this.#window;
      if (room === 0) return;
      const { stream, at, piece, pieceAt } = sending;
      const left = pieceAt + piece.length - at;
      if (left === 0) {
        if (!Buffer.isBuffer(sending.body)) this.#read(sending, sending.body);
        return;
      }
      const length = Math.min(left, sending.window, room, MAX_PAYLOAD);
      sending.at += length;
      sending.window -= length;
      this.#window.sent(length);
      const flags = sending.at === sending.length ? END_STREAM : 0;
      this.#put(TYPES.data, flags, stream, piece.subarray(at - pieceAt, at - pieceAt + length));
    }
    if (sending.at === sending.length) this.#end(sending);
  }

  #read(sending: Sending, parts: readonly HeldPart[]): void {
    if (sending.isReading) return;
    // What was read before must have been copied.
    this.flush();
    sending.room ??= Buffer.allocUnsafeSlow(Math.min(READ_BYTES, sending.length));
    const { at, room } = sending;
    const { file, first, length } = partAt(parts, at);
    sending.isReading = true;
    read(file.fd, room, 0, Math.min(room.length, length), first, (error, bytes) => {
      sending.isReading = false;
      // It was dropped in the meantime.
      if (this.#waiting.get(sending.stream) !== sending) letGo(sending);
      else if (error !== null || bytes === 0) this.#break(sending);
      else {
        sending.piece = room.subarray(0, bytes);
        sending.pieceAt = at;
        this.goOn();
        this.flush();
      }
    });
  }

  /** An answer that cannot be gone on with must not look whole. */
  #break({ stream }: Sending): void {
    this.drop(stream);
    this.#socket.write(numberFrame(TYPES.reset, stream, INTERNAL_ERROR));
    this.#tellIfOut();
  }

  #end(sending: Sending): void {
    const { stream, at, isReading, onEnd } = sending;
    this.#waiting.delete(stream);
    if (!isReading) letGo(sending);
    onEnd(at);
  }

  #put(type: number, flags: number, stream: number, payload: Buffer): void {
    const bytes = HEAD_BYTES + payload.length;
    if (this.#length + bytes > MOST_WRITTEN) this.flush();
    this.#frames.push({ type, flags, stream, payload });
    this.#length += bytes;
  }
}

const filesOf = (body: ReadyHit['body']) => (Buffer.isBuffer(body) ? [] : body);

function letGo({ body }: Pick<ReadyHit, 'body'>): void {
  for (const { file } of filesOf(body)) file.letGo();
}

/** What is left, `at` bytes into the parts, of the one that this byte lies in. */
function partAt(parts: readonly HeldPart[], at: number): HeldPart {
  let before = at;
  for (const { file, first, length } of parts) {
    if (before < length) return { file, first: first + before, length: length - before };
    before -= length;
  }
  throw new Error(`no part has byte ${at} of an answer`);
}

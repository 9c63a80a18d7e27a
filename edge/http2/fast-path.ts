/**
 * Plain hits over HTTP/2, before node:http2 hears of them. Header blocks are read here; a request that is not plain, or
 * not a ready hit, and every frame that is not about a stream of ours, goes on to node:http2, which believes that it has
 * the connection for itself: it sees streams that were never opened, and a window that is a part of the whole.
 *
 *     socket ──frames──> blocks ──> plain? ──> ready? ──> head and body, many in one write ─────────┬──> socket
 *                                        else ──> NodeWire ──> node:http2 ──frames──> NodeWire ──┘
 *
 * Nothing is judged here but what node:http2 cannot see any more; whatever breaks the protocol elsewhere, it finds.
 */
import type { TLSSocket } from 'node:tls';
import type { ReadyHit } from '../answer/ready-hits.ts';
import type { Blocks } from '../cache/blocks.ts';
import { createFloodWatch } from '../limits/flood-watch.ts';
import type { Limits } from '../limits/limits.ts';
import { ConnectionWindow, FIRST_WINDOW, MOST_WINDOW } from './connection-window.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  ERRORS,
  type FrameHead,
  FrameReader,
  frame,
  goawayFrame,
  MAX_PAYLOAD,
  numberFrame,
  PADDED,
  PRIORITY,
  TYPES,
  type WholeFrame,
} from './frames.ts';
import { fieldBlock, TABLE_BYTES } from './hpack.ts';
import { NodeWire } from './node-wire.ts';
import { type PlainHead, RequestBlocks } from './request-blocks.ts';
import { SendingHits } from './sending-hits.ts';

export interface Http2FastPathParts {
  /** One whose head and body are ready for HTTP/2. */
  hitFor: (request: PlainHead) => ReadyHit | undefined;
  /** One is answered; what it gives is told how many bytes of the body went, at the end. */
  onHit: (hit: ReadyHit, request: PlainHead) => (bytes: number) => void;
  /** Who does this is cut off. */
  onFlood: () => void;
  limits: Limits;
  blocks: Blocks;
}

/** RFC 9113 3.4. */
const PREFACE_BYTES = 24;
/** RFC 9113 6.5.2. */
const HEADER_TABLE_SIZE = 1;
const INITIAL_WINDOW_SIZE = 4;
/** As nghttp2 has it: with 16 KB each, more than any head has (CVE-2024-27316). */
const MOST_CONTINUATIONS = 8;
/** In ten seconds, beside those that node:http2 counts. */
const MOST_RESETS = 200;

interface OpenBlock extends FrameHead {
  /** What stands before the block: five bytes about its priority, where there are any. */
  before: Buffer;
  parts: Buffer[];
}

export class Http2FastPath {
  /** For node:http2. */
  readonly wire: NodeWire;
  /** By performance.now(), when a hit went out last. */
  hitAt = 0;

  readonly #socket: TLSSocket;
  readonly #parts: Http2FastPathParts;
  readonly #frames = new FrameReader();
  readonly #requests: RequestBlocks;
  readonly #window = new ConnectionWindow();
  readonly #hits: SendingHits;
  readonly #resets = createFloodWatch(() => performance.now(), MOST_RESETS);
  #preface: Buffer | undefined = Buffer.alloc(0);
  #open: OpenBlock | undefined;
  /** Of streams. */
  #firstWindow = FIRST_WINDOW;
  #lastAsked = 0;
  #lastHit = 0;
  #lastOfNode = 0;
  /** For node:http2, when all that came is read: what is reset in the same breath is not there any more. */
  #forNode: (Buffer | undefined)[] = [];
  /** Whole requests among these. */
  readonly #held = new Map<number, number>();
  /** Of plain hits: node:http2 answers all. */
  #takesNoMore = false;
  /** node:http2 has said nothing yet. */
  #isQuiet = true;
  #hasGoodbye = false;
  #hasEnded = false;
  /** It was broken off here. */
  #isOver = false;

  constructor(socket: TLSSocket, parts: Http2FastPathParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#requests = new RequestBlocks(parts.limits);
    const onOut = () => this.#endIfOver();
    this.#hits = new SendingHits(socket, { window: this.#window, blocks: parts.blocks, onOut });
    this.wire = new NodeWire({
      write: (chunks, done) => this.#writeOfNode(chunks, done),
      onFrame: (head, payload) => this.#look(head, payload),
      onEnd: () => this.#end(),
    });
    socket.on('error', () => {});
    socket.on('end', () => this.wire.push(null));
    socket.on('close', () => {
      this.#hits.dropAll();
      this.wire.destroy();
    });
  }

  /** Answers that the client has not taken. */
  get waiting(): number {
    return this.#hits.waiting;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return;
    const frames = this.#behindPreface(chunk);
    if (frames === undefined) return;
    if (!this.#frames.read(frames, this.#take)) this.#fail(ERRORS.frameSize);
    if (this.#isOver) return;
    this.#hits.goOn();
    this.#hits.flush();
    this.#giveToNode();
  };

  #behindPreface(chunk: Buffer): Buffer | undefined {
    if (this.#preface === undefined) return chunk;
    const bytes = this.#preface.length === 0 ? chunk : Buffer.concat([this.#preface, chunk]);
    this.#preface = bytes;
    if (bytes.length < PREFACE_BYTES) return undefined;
    this.#preface = undefined;
    // What it is not, node:http2 finds.
    this.#forNode.push(bytes.subarray(0, PREFACE_BYTES));
    return bytes.subarray(PREFACE_BYTES);
  }

  readonly #take = (one: WholeFrame): boolean => {
    if (this.#open !== undefined && one.type !== TYPES.continuation) return this.#fail(ERRORS.protocol);
    switch (one.type) {
      case TYPES.headers:
        return this.#headers(one);
      case TYPES.continuation:
        return this.#continuation(one);
      case TYPES.data:
        return this.#isOurs(one.stream) ? this.#fail(ERRORS.streamClosed) : this.#forward(one);
      case TYPES.reset:
        return this.#reset(one);
      case TYPES.windowUpdate:
        return this.#windowUpdate(one);
      case TYPES.settings:
        return this.#settings(one);
      default:
        return this.#forward(one);
    }
  };

  #headers({ type, flags, stream, payload }: WholeFrame): boolean {
    const padded = (flags & PADDED) === 0 ? 0 : 1;
    const begin = padded + ((flags & PRIORITY) === 0 ? 0 : 5);
    const end = payload.length - (padded === 1 ? (payload[0] ?? 0) : 0);
    // RFC 9113 5.1.1, 6.2.
    if (stream % 2 === 0 || begin > end) return this.#fail(ERRORS.protocol);
    const open = {
      type,
      flags: flags & (END_STREAM | PRIORITY),
      stream,
      before: payload.subarray(padded, begin),
      parts: [payload.subarray(begin, end)],
    };
    if ((flags & END_HEADERS) !== 0) return this.#block(open);
    this.#open = open;
    return true;
  }

  #continuation({ flags, stream, payload }: WholeFrame): boolean {
    const open = this.#open;
    if (open === undefined || open.stream !== stream) return this.#fail(ERRORS.protocol);
    open.parts.push(payload);
    if (open.parts.length > MOST_CONTINUATIONS + 1) return this.#flood();
    if ((flags & END_HEADERS) === 0) return true;
    this.#open = undefined;
    return this.#block(open);
  }

  #block(open: OpenBlock): boolean {
    const { stream, flags, before, parts } = open;
    const [first = before] = parts;
    const request = this.#requests.read(parts.length === 1 ? first : Buffer.concat(parts));
    if (request === undefined) return this.#fail(ERRORS.compression);
    const isWhole = (flags & END_STREAM) !== 0;
    if (stream > this.#lastAsked) {
      this.#lastAsked = stream;
      if (isWhole && !dependsOnItself(open) && this.#answer(stream, request.plain)) return true;
      if (isWhole) this.#held.set(stream, this.#forNode.length);
      this.#lastOfNode = stream;
    } else if (this.#isOurs(stream)) return this.#fail(ERRORS.streamClosed);
    this.#forNode.push(headersFrames(open, fieldBlock(request.fields)));
    return true;
  }

  #answer(stream: number, request: PlainHead | undefined): boolean {
    if (request === undefined || this.#takesNoMore) return false;
    // More than there may be: node:http2 has the number, and counts its own.
    if (this.#hits.waiting >= this.#parts.limits.streamsPerConnection) return false;
    const hit = this.#parts.hitFor(request);
    if (hit?.block === undefined || hit.block.length > MAX_PAYLOAD) return false;
    const { body, length, block: head } = hit;
    if (!this.#window.keep(length)) return false;
    this.#lastHit = stream;
    this.hitAt = performance.now();
    const onEnd = this.#parts.onHit(hit, request);
    this.#hits.begin(stream, { head, body, length, window: this.#firstWindow, onEnd });
    return true;
  }

  /** Answered here; those before the last one that node:http2 saw are closed for it as well. */
  #isOurs(stream: number): boolean {
    return stream > this.#lastOfNode && stream <= this.#lastAsked;
  }

  #reset(one: WholeFrame): boolean {
    const { stream, payload } = one;
    if (payload.length !== 4) return this.#forward(one);
    const held = this.#held.get(stream);
    if (held !== undefined) {
      this.#held.delete(stream);
      this.#forNode[held] = undefined;
    } else if (!this.#hits.drop(stream)) return this.#isOurs(stream) || this.#forward(one);
    return this.#resets.note() || this.#flood();
  }

  #windowUpdate(one: WholeFrame): boolean {
    const { stream, payload } = one;
    const isOurs = this.#isOurs(stream);
    const bytes = payload.length === 4 ? payload.readUInt32BE() & MOST_WINDOW : 0;
    if (bytes === 0) return isOurs ? this.#fail(ERRORS.protocol) : this.#forward(one);
    if (stream === 0) return this.#window.open(bytes) ? this.#tellNode() : this.#fail(ERRORS.flowControl);
    if (!this.#hits.open(stream, bytes)) return this.#fail(ERRORS.flowControl);
    return isOurs || this.#forward(one);
  }

  #settings(one: WholeFrame): boolean {
    const { stream, flags, payload } = one;
    const isTheirs = stream === 0 && (flags & ACK) === 0 && payload.length % 6 === 0;
    for (let at = 0; isTheirs && at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      const name = payload.readUInt16BE(at);
      // RFC 7541 4.2: a smaller table has to be said in the next block, and node:http2 will say it in its own.
      if (name === HEADER_TABLE_SIZE && value < TABLE_BYTES) this.#takesNoMore = true;
      if (name === INITIAL_WINDOW_SIZE && value <= MOST_WINDOW) {
        this.#hits.resize(value - this.#firstWindow);
        this.#firstWindow = value;
      }
    }
    return this.#forward(one);
  }

  #forward({ bytes }: WholeFrame): boolean {
    this.#forNode.push(bytes);
    return true;
  }

  #tellNode(): true {
    const more = this.#window.more();
    if (more > 0) this.#forNode.push(numberFrame(TYPES.windowUpdate, 0, more));
    return true;
  }

  #giveToNode(): void {
    const frames = this.#forNode;
    if (frames.length === 0) return;
    this.#forNode = [];
    this.#held.clear();
    if (this.wire.destroyed) return;
    for (const bytes of frames) if (bytes !== undefined) this.wire.push(bytes);
  }

  #writeOfNode(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    if (this.#isOver) {
      done();
      return;
    }
    const isFirst = this.#isQuiet;
    this.#isQuiet = false;
    // TLS would do the same with many, after as many turns.
    this.#socket.write(Buffer.concat(chunks), (error) => {
      done(error);
      this.#tellNode();
      this.#giveToNode();
    });
    // RFC 9113 3.4: nothing goes out before the SETTINGS, which are these.
    if (isFirst) this.#socket.on('data', this.#onData);
  }

  #look({ type, length }: FrameHead & { length: number }, payload: Buffer): void {
    if (type === TYPES.data) this.#window.sentByNode(length);
    if (type !== TYPES.goaway || payload.length < 4) return;
    this.#takesNoMore = true;
    this.#hasGoodbye = true;
    // RFC 9113 6.8: what is beyond the last one may be asked for again elsewhere.
    payload.writeUInt32BE(Math.max(payload.readUInt32BE(), this.#lastHit));
  }

  #flood(): false {
    this.#parts.onFlood();
    return this.cutOff();
  }

  /** RFC 9113 10.5. */
  cutOff(): false {
    return this.#fail(ERRORS.enhanceYourCalm);
  }

  /** RFC 9113 5.4.1. */
  #fail(code: number): false {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#hits.flush();
    this.#socket.end(goawayFrame(this.#lastAsked, code), () => this.#socket.destroySoon());
    this.wire.destroy();
    return false;
  }

  /** node:http2 is done with it; what broke the protocol, it may have had no time to say. */
  #end(): void {
    const { writable, readableEnded } = this.#socket;
    if (!this.#hasGoodbye && writable && !readableEnded) this.#fail(ERRORS.protocol);
    this.#takesNoMore = true;
    this.#hasEnded = true;
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#hasEnded && this.#hits.waiting === 0) this.#socket.destroySoon();
  }
}

/** RFC 7540 5.3.1: an error that node:http2 finds. */
function dependsOnItself({ before, stream }: OpenBlock): boolean {
  return before.length > 0 && (before.readUInt32BE() & MOST_WINDOW) === stream;
}

/** Written anew, for a reader that has seen no block but those that it was given. */
function headersFrames({ flags, stream, before }: OpenBlock, block: Buffer): Buffer {
  const payload = Buffer.concat([before, block]);
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += MAX_PAYLOAD) {
    const isLast = at + MAX_PAYLOAD >= payload.length;
    const type = at === 0 ? TYPES.headers : TYPES.continuation;
    const own = at === 0 ? flags : 0;
    const part = payload.subarray(at, at + MAX_PAYLOAD);
    frames.push(frame(type, own | (isLast ? END_HEADERS : 0), stream, part));
  }
  return Buffer.concat(frames);
}

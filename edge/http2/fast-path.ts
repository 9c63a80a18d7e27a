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
import { ClientStreams } from './client-streams.ts';
import { ConnectionWindow, FIRST_WINDOW, MOST_WINDOW } from './connection-window.ts';
import {
  ACK,
  END_STREAM,
  ERRORS,
  type FrameHead,
  FrameReader,
  goawayFrame,
  MAX_PAYLOAD,
  numberFrame,
  TYPES,
  type WholeFrame,
} from './frames.ts';
import { HandedOn } from './handed-on.ts';
import { dependsOnItself, type HeaderBlock, HeaderFrames, headersFrames } from './header-frames.ts';
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
/** RFC 9113 6.7. */
const PING_BYTES = 8;
/** In ten seconds, beside those that node:http2 counts. */
const MOST_RESETS = 200;

export class Http2FastPath {
  /** For node:http2. */
  readonly wire: NodeWire;
  /** By performance.now(), when a hit went out last. */
  hitAt = 0;

  readonly #socket: TLSSocket;
  readonly #parts: Http2FastPathParts;
  readonly #frames = new FrameReader();
  readonly #headers = new HeaderFrames();
  readonly #requests: RequestBlocks;
  readonly #streams = new ClientStreams();
  readonly #window = new ConnectionWindow();
  readonly #hits: SendingHits;
  readonly #resets = createFloodWatch(() => performance.now(), MOST_RESETS);
  readonly #pongs = createFloodWatch(() => performance.now());
  #preface: Buffer | undefined = Buffer.alloc(0);
  /** Of streams. */
  #firstWindow = FIRST_WINDOW;
  #lastHit = 0;
  readonly #forNode = new HandedOn();
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
    this.#forNode.giveTo(this.wire);
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
    if (this.#headers.isOpen && one.type !== TYPES.continuation) return this.#fail(ERRORS.protocol);
    switch (one.type) {
      case TYPES.headers:
        return this.#block(this.#headers.begin(one));
      case TYPES.continuation:
        return this.#block(this.#headers.goOn(one));
      case TYPES.data:
        return this.#data(one);
      case TYPES.priority:
        return this.#priority(one);
      case TYPES.ping:
        return this.#ping(one);
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

  /** What HEADERS or CONTINUATION came to: a whole block, nothing yet, or an error. */
  #block(block: HeaderBlock | number | undefined): boolean {
    if (block === undefined) return true;
    if (block === ERRORS.enhanceYourCalm) return this.#flood();
    if (typeof block === 'number') return this.#fail(block);
    const { stream, flags, before } = block;
    const request = this.#requests.read(block.bytes);
    if (request === undefined) return this.#fail(ERRORS.compression);
    const isWhole = (flags & END_STREAM) !== 0;
    const isNew = this.#streams.open(stream, isWhole);
    if (isNew) {
      if (dependsOnItself(before, stream)) return this.#fail(ERRORS.protocol);
      if (isWhole && this.#answer(stream, request.plain)) return true;
    } else if (!this.#streams.goOn(stream, isWhole)) return this.#fail(ERRORS.streamClosed);
    const bytes = headersFrames(block, fieldBlock(request.fields));
    if (isNew) this.#forNode.pushRequest(stream, bytes, isWhole);
    else this.#forNode.push(bytes);
    return true;
  }

  #data(one: WholeFrame): boolean {
    const isEnd = (one.flags & END_STREAM) !== 0;
    return this.#streams.goOn(one.stream, isEnd) ? this.#forward(one) : this.#fail(ERRORS.streamClosed);
  }

  /** RFC 9113 6.3: it says nothing to us, and costs its sender as little as a PING. */
  #priority(one: WholeFrame): boolean {
    const { stream, payload } = one;
    const isBroken = stream === 0 || (payload.length === 5 && dependsOnItself(payload, stream));
    return isBroken ? this.#fail(ERRORS.protocol) : this.#forward(one);
  }

  /** RFC 9113 6.7: an answer to none of ours, which node:http2 would end the connection for, is no fault. */
  #ping(one: WholeFrame): boolean {
    const isStray = (one.flags & ACK) !== 0 && one.stream === 0 && one.payload.length === PING_BYTES;
    return isStray ? this.#pongs.note() || this.#flood() : this.#forward(one);
  }

  #answer(stream: number, request: PlainHead | undefined): boolean {
    if (request === undefined || this.#takesNoMore) return false;
    // More than there may be: node:http2 has the number, and counts its own.
    if (this.#hits.waiting >= this.#parts.limits.streamsPerConnection) return false;
    const hit = this.#parts.hitFor(request);
    const head = hit?.block();
    if (hit === undefined || head === undefined || head.length > MAX_PAYLOAD) return false;
    const { body, length } = hit;
    if (!this.#window.keep(length)) return false;
    this.#lastHit = stream;
    this.hitAt = performance.now();
    const onEnd = this.#parts.onHit(hit, request);
    this.#hits.begin(stream, { head, body, length, window: this.#firstWindow, onEnd });
    return true;
  }

  #reset(one: WholeFrame): boolean {
    const { stream, payload } = one;
    if (payload.length !== 4) return this.#forward(one);
    this.#streams.reset(stream);
    if (!this.#forNode.takeBack(stream) && !this.#hits.drop(stream)) return this.#forwardAbout(one);
    // It may have had what node:http2 waits for.
    this.#tellNode();
    return this.#resets.note() || this.#flood();
  }

  #windowUpdate(one: WholeFrame): boolean {
    const { stream, payload } = one;
    if (payload.length !== 4) return this.#forward(one);
    const bytes = payload.readUInt32BE() & MOST_WINDOW;
    if (bytes === 0) return this.#isOurs(stream) ? this.#fail(ERRORS.protocol) : this.#forward(one);
    if (stream === 0) return this.#window.open(bytes) ? this.#tellNode() : this.#fail(ERRORS.flowControl);
    if (!this.#hits.open(stream, bytes)) return this.#fail(ERRORS.flowControl);
    return this.#forwardAbout(one);
  }

  /** Opened by the client, and nothing that node:http2 hears of. */
  #isOurs(stream: number): boolean {
    return this.#streams.isKnown(stream) && !this.#forNode.reaches(stream);
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
        if (!this.#hits.resize(value - this.#firstWindow)) return this.#fail(ERRORS.flowControl);
        this.#firstWindow = value;
        this.#tellNode();
      }
    }
    return this.#forward(one);
  }

  #forward({ bytes }: WholeFrame): boolean {
    this.#forNode.push(bytes);
    return true;
  }

  /** Where the client has not opened the stream, node:http2 is to find that. */
  #forwardAbout(one: WholeFrame): boolean {
    if (!this.#streams.isKnown(one.stream)) return this.#forward(one);
    this.#forNode.pushAbout(one.stream, one.bytes);
    return true;
  }

  #tellNode(): true {
    if (!this.#window.isLow) return true;
    const more = this.#window.more(this.#hits.idle);
    if (more > 0) this.#forNode.push(numberFrame(TYPES.windowUpdate, 0, more));
    return true;
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
      this.#forNode.giveTo(this.wire);
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
    this.#socket.end(goawayFrame(this.#streams.last, code), () => this.#socket.destroySoon());
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

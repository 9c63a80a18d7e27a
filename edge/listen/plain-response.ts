/**
 * The answer to a plain request, framed on its socket as node:http does it, byte for byte (RFC 9112 6): what this path
 * sends, and when the connection goes on.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { Headers } from '../headers.ts';
import { writeBytes } from './write-bytes.ts';

export interface PlainResponseOptions {
  /** Nothing follows its head. */
  isHead: boolean;
  /** What says that the connection goes on; nothing where it is to end. Asked when the head is made. */
  persistence: () => string | undefined;
}

/** RFC 9110 5.5, as node:http checks it: an origin's field must not become two of ours. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;
const CLOSES = 'Connection: close\r\n';

export class PlainResponse extends Writable {
  readonly #socket: Socket;
  readonly #options: PlainResponseOptions;
  /** Made, and not yet on its way: it leaves with the first piece of the body. */
  #head: string | undefined;
  #isMade = false;
  #hasBody: boolean;
  #isChunked = false;
  #isLast = false;

  constructor(socket: Socket, options: PlainResponseOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.#hasBody = !options.isHead;
  }

  get headersSent(): boolean {
    return this.#isMade;
  }

  /** The connection ends behind it. */
  get isLast(): boolean {
    return this.#isLast;
  }

  writeHead(status: number, headers: Headers): void {
    let isSized = false;
    let isDated = false;
    let isAboutConnection = false;
    for (const [name, value] of headers) {
      if (name === 'content-length') isSized = true;
      else if (name === 'date') isDated = true;
      else if (name === 'connection') {
        isAboutConnection = true;
        this.#isLast = /\bclose\b/i.test(value);
      }
    }
    if (status === 204 || status === 304) this.#hasBody = false;
    this.#isChunked = this.#hasBody && !isSized;
    const persistence = isAboutConnection ? '' : this.#options.persistence();
    this.#isLast ||= persistence === undefined;
    const date = isDated ? '' : `Date: ${new Date().toUTCString()}\r\n`;
    const coding = this.#isChunked ? 'Transfer-Encoding: chunked\r\n' : '';
    this.#head = `${statusAndFields(status, headers)}${date}${persistence ?? CLOSES}${coding}\r\n`;
    this.#isMade = true;
  }

  /** An interim answer (RFC 9110 15.2). */
  writeInterim(status: number, headers: Headers): void {
    if (!this.#isMade && this.#socket.writable)
      this.#socket.write(`${statusAndFields(status, headers)}\r\n`, 'latin1');
  }

  flushHead(): void {
    const head = this.#takeHead();
    if (head !== '' && this.#socket.writable) this.#socket.write(head, 'latin1');
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (!this.#hasBody || chunk.length === 0) {
      done();
      return;
    }
    // A client that closed its side has gone, as with node:http. That it has is heard when the socket closes, as are
    // the socket's faults.
    if (!this.#socket.writable) return;
    const onWritten = () => done();
    if (!this.#isChunked) writeBytes(this.#socket, this.#takeHead(), chunk, onWritten);
    else {
      this.#socket.cork();
      this.#socket.write(`${this.#takeHead()}${chunk.length.toString(16)}\r\n`, 'latin1');
      this.#socket.write(chunk);
      this.#socket.write('\r\n', 'latin1', onWritten);
      this.#socket.uncork();
    }
  }

  override _final(done: () => void): void {
    const end = this.#takeHead() + (this.#isChunked ? '0\r\n\r\n' : '');
    if (!this.#socket.writable) return;
    if (end !== '') this.#socket.write(end, 'latin1');
    done();
  }

  /** One that breaks off takes its connection with it: it must not look whole. */
  override _destroy(_error: Error | null, done: () => void): void {
    if (!this.writableFinished) this.#socket.destroy();
    done();
  }

  #takeHead(): string {
    const head = this.#head ?? '';
    this.#head = undefined;
    return head;
  }
}

function statusAndFields(status: number, headers: Headers): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  for (const [name, value] of headers) {
    if (FORBIDDEN.test(value)) throw new Error(`a field that cannot be sent: ${name}`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

/** Behind a head whose connection goes on. */
export const endOfHead = (idleMs: number) => `${persistenceFields(idleMs)}\r\n`;

/** As node:http says it. */
export const persistenceFields = (idleMs: number) =>
  `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(idleMs / 1_000)}\r\n`;

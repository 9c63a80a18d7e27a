/**
 * The connection's window (RFC 9113 6.9), shared by two who send: node:http2, which believes that it is alone, and the
 * fast path. What node:http2 was told of is its own; the fast path takes what is beyond that, for whole answers, so that
 * none of them waits for a window that the other one holds. What is kept for answers whose streams have no window serves
 * nobody, and is lent: a client opens the connection's when it has read so much of it, which it else might never. Pure.
 *
 *     all ── told to node:http2 ── kept for answers of the fast path ── free
 */

/** RFC 9113 6.9.2. */
export const FIRST_WINDOW = 65_535;
/** RFC 9113 6.9.1. */
export const MOST_WINDOW = 2 ** 31 - 1;
/** Below this node:http2 is told of more. */
const LOW = FIRST_WINDOW / 2;

export class ConnectionWindow {
  #all = FIRST_WINDOW;
  #told = FIRST_WINDOW;
  #kept = 0;

  /** Below nothing, while some of what was kept is lent. */
  get free(): number {
    return this.room - this.#kept;
  }

  /** What answers of the fast path can go by now. */
  get room(): number {
    return this.#all - this.#told;
  }

  /** WINDOW_UPDATE; false where there is more than there may be. */
  open(bytes: number): boolean {
    this.#all += bytes;
    return this.#all <= MOST_WINDOW;
  }

  /** For a whole answer; false where there is no room for it. */
  keep(bytes: number): boolean {
    if (bytes > this.free) return false;
    this.#kept += bytes;
    return true;
  }

  /** Of what was kept. */
  sent(bytes: number): void {
    this.#all -= bytes;
    this.#kept -= bytes;
  }

  letGo(bytes: number): void {
    this.#kept -= bytes;
  }

  sentByNode(bytes: number): void {
    this.#all -= bytes;
    this.#told -= bytes;
  }

  /** node:http2 is to be told of more. */
  get isLow(): boolean {
    return this.#told < LOW;
  }

  /**
   * What node:http2 is to be told of now. Half, where there is much: the other half stays for the fast path. `idle`: of
   * what is kept, what the streams have no window for.
   */
  more(idle: number): number {
    if (!this.isLow) return 0;
    const most = Math.min(this.free + idle, FIRST_WINDOW);
    const more = Math.max(Math.ceil(this.free / 2), most, 0);
    this.#told += more;
    return more;
  }
}

/**
 * The connection's window (RFC 9113 6.9), shared by two who send: node:http2, which believes that it is alone, and the
 * fast path. What node:http2 was told of is its own; the fast path takes what is beyond that, for whole answers, so that
 * none of them waits for a window that the other one holds. Pure.
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

  get free(): number {
    return this.#all - this.#told - this.#kept;
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

  /** What node:http2 is to be told of now. Half, where there is much: the other half stays for the fast path. */
  more(): number {
    if (this.#told >= LOW || this.free <= 0) return 0;
    const more = Math.max(Math.ceil(this.free / 2), Math.min(this.free, FIRST_WINDOW));
    this.#told += more;
    return more;
  }
}

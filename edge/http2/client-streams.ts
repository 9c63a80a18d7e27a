/**
 * What a client has said of its own streams: which it opened last, and which it has still to end. Enough to know a frame
 * that breaks the rules (RFC 9113 5.1) whoever answers the stream; what we did to a stream in the meantime, the client
 * may not have heard of, and it is not looked at. Pure.
 */

/** Requests whose bodies come. One that we reset is not ended any more, and forgotten with the oldest. */
const MOST_UNENDED = 1_000;

export class ClientStreams {
  #last = 0;
  readonly #unended = new Set<number>();
  /** Up to this one it is not known which are ended. */
  #forgotten = 0;

  /** HEADERS of a stream that is no older one; what it skipped is closed with it (RFC 9113 5.1.1). */
  open(stream: number, isWhole: boolean): boolean {
    if (stream <= this.#last) return false;
    this.#last = stream;
    if (isWhole) return true;
    this.#unended.add(stream);
    if (this.#unended.size > MOST_UNENDED) this.#forget();
    return true;
  }

  /** DATA, or HEADERS that are trailers; false where the client had ended the stream. */
  goOn(stream: number, isEnd: boolean): boolean {
    if (stream > this.#last || stream <= this.#forgotten) return true;
    if (!this.#unended.has(stream)) return false;
    if (isEnd) this.#unended.delete(stream);
    return true;
  }

  reset(stream: number): void {
    this.#unended.delete(stream);
  }

  /** It has been opened, or skipped; those of the server have even numbers, and there are none (RFC 9113 5.1.1). */
  isKnown(stream: number): boolean {
    return stream % 2 === 1 && stream <= this.#last;
  }

  get last(): number {
    return this.#last;
  }

  #forget(): void {
    const [oldest = 0] = this.#unended;
    this.#unended.delete(oldest);
    this.#forgotten = oldest;
  }
}

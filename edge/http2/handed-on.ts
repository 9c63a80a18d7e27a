/**
 * What of a connection's frames is for node:http2, kept until all that came in one piece is read: a request that is reset
 * in the same breath is not there any more then, and costs its parsing alone (CVE-2023-44487). Nor is what was said about
 * it, nor about a stream that is answered here and newer than all that node:http2 has heard of: to it they are idle, and
 * a frame about an idle stream ends the connection (RFC 9113 5.1).
 */
import type { NodeWire } from './node-wire.ts';

interface Handed {
  bytes: Buffer;
  /** HEADERS open it, others say something about it. */
  stream?: number;
  opens?: boolean;
}

export class HandedOn {
  #frames: (Handed | undefined)[] = [];
  /** Whole requests among these. */
  readonly #requests = new Map<number, number>();
  /** The last stream that node:http2 heard of. */
  #last = 0;

  push(bytes: Buffer): void {
    this.#frames.push({ bytes });
  }

  /** The HEADERS of a request; a whole one can be taken back until it is given. */
  pushRequest(stream: number, bytes: Buffer, isWhole: boolean): void {
    if (isWhole) this.#requests.set(stream, this.#frames.length);
    this.#frames.push({ bytes, stream, opens: true });
  }

  /** RST_STREAM or WINDOW_UPDATE of a stream that the client has opened. */
  pushAbout(stream: number, bytes: Buffer): void {
    this.#frames.push({ bytes, stream });
  }

  /** Says whether it was there. */
  takeBack(stream: number): boolean {
    const at = this.#requests.get(stream);
    if (at === undefined) return false;
    this.#requests.delete(stream);
    this.#frames[at] = undefined;
    return true;
  }

  /** Whether node:http2 has heard of this stream, or of a newer one, by which it is closed; or will. */
  reaches(stream: number): boolean {
    if (stream <= this.#last) return true;
    return this.#frames.some((each) => each?.opens === true && (each.stream ?? 0) >= stream);
  }

  giveTo(wire: NodeWire): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#requests.clear();
    if (wire.destroyed) return;
    for (const each of frames) {
      if (each === undefined) continue;
      const { bytes, stream = 0, opens = false } = each;
      if (opens) this.#last = stream;
      if (stream <= this.#last) wire.push(bytes);
    }
  }
}

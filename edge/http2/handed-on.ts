/**
 * What of a connection's frames is for node:http2, kept until all that came in one piece is read: a request that is reset
 * in the same breath is not there any more then, and costs its parsing alone (CVE-2023-44487).
 */
import type { NodeWire } from './node-wire.ts';

export class HandedOn {
  #frames: (Buffer | undefined)[] = [];
  /** Whole requests among these. */
  readonly #requests = new Map<number, number>();

  push(bytes: Buffer): void {
    this.#frames.push(bytes);
  }

  /** It can be taken back until it is given. */
  pushRequest(stream: number, bytes: Buffer): void {
    this.#requests.set(stream, this.#frames.length);
    this.#frames.push(bytes);
  }

  /** Says whether it was there. */
  takeBack(stream: number): boolean {
    const at = this.#requests.get(stream);
    if (at === undefined) return false;
    this.#requests.delete(stream);
    this.#frames[at] = undefined;
    return true;
  }

  giveTo(wire: NodeWire): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#requests.clear();
    if (wire.destroyed) return;
    for (const bytes of frames) if (bytes !== undefined) wire.push(bytes);
  }
}

/**
 * Messages in a TCP stream, each behind its length in two bytes (RFC 1035 4.2.2), however the stream is cut: several in
 * one chunk, or one over many.
 */
export class Frames {
  #held: Buffer = Buffer.alloc(0);

  /** The messages that are complete with this chunk; they share its memory. */
  push(chunk: Buffer): Buffer[] {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const messages: Buffer[] = [];
    while (rest.length >= 2) {
      const end = 2 + rest.readUInt16BE(0);
      if (rest.length < end) break;
      messages.push(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
    this.#held = rest;
    return messages;
  }
}

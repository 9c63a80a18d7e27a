/** Newline-delimited JSON, as it comes over a socket: lines cut anywhere, several in one chunk. */

/** A line longer than this is refused: a sender gone wrong must not fill our memory. */
const MAX_LINE_BYTES = 256 * 2 ** 20;

export function ndjsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Yields each line's value. Throws a SyntaxError on a line that is not JSON; a last line without its newline is lost. */
export async function* readNdjson(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const pieces = decoder.decode(chunk, { stream: true }).split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) {
        const line = parts.join('');
        parts = [];
        length = 0;
        if (line !== '') yield JSON.parse(line);
      }
      parts.push(piece);
      length += piece.length;
      if (length > MAX_LINE_BYTES) throw new Error(`a line of more than ${MAX_LINE_BYTES} characters`);
    }
  }
}

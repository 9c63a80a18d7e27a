/**
 * A reader of a body that is being fetched, when the file that has what came cannot be read back: what the reader still
 * lacks is had from the origin, for it alone, where that is the very same (resume.ts). Else the client sees a transfer that
 * broke off.
 */
import type { OriginBody } from '../origin/origin-body.ts';
import type { ByteSource } from './byte-source.ts';

/** Bytes were written, and cannot be read any more. */
export class UnreadableFill extends Error {}

type RestBody = Pick<OriginBody, 'read' | 'abandon'>;

export interface Rest {
  /** The body from an offset on; nothing where the origin does not have the very same. */
  from: (offset: number) => Promise<RestBody | undefined>;
  onBytes: (bytes: number) => void;
}

export function withRest(filling: ByteSource, { from, onBytes }: Rest): ByteSource {
  let rest: RestSource | undefined;
  return {
    async read(offset, room) {
      if (rest !== undefined) return await rest.read(offset);
      try {
        return await filling.read(offset, room);
      } catch (error) {
        const body = error instanceof UnreadableFill ? await from(offset) : undefined;
        if (body === undefined) throw error;
        rest = new RestSource(body, offset, onBytes);
        // The fill need not keep anything for this reader any longer.
        await filling.close();
        return await rest.read(offset);
      }
    },
    async close() {
      rest?.close();
      await filling.close();
    },
  };
}

class RestSource {
  readonly #body: RestBody;
  /** What came last, and where it lies in the whole. */
  #chunk: Buffer = Buffer.alloc(0);
  #at: number;
  readonly #onBytes: Rest['onBytes'];

  constructor(body: RestBody, offset: number, onBytes: Rest['onBytes']) {
    this.#body = body;
    this.#onBytes = onBytes;
    this.#at = offset;
  }

  /** In order: `offset` lies in what came last, or right behind it. */
  async read(offset: number): Promise<Buffer> {
    while (offset >= this.#at + this.#chunk.length) {
      this.#at += this.#chunk.length;
      this.#chunk = (await this.#body.read()) ?? Buffer.alloc(0);
      if (this.#chunk.length === 0) return this.#chunk;
      this.#onBytes(this.#chunk.length);
    }
    return this.#chunk.subarray(offset - this.#at);
  }

  close(): void {
    this.#body.abandon();
  }
}

/**
 * Room of one block each, used again. New room for each answer would be given back by the collector alone, which has to
 * go through the whole heap for it: with answers of 64 KiB that was half of a miss.
 */
import { BLOCK_BYTES } from './stored-object.ts';

/** Blocks that are kept though nobody reads into them. */
const KEPT = 32;

/** Room that is taken when there is something to read into it. */
export interface Room {
  take(): Buffer;
  /** Only when nobody reads from it any more. */
  giveBack(): void;
}

export class Blocks {
  readonly #free: Buffer[] = [];

  room(): Room {
    let taken: Buffer | undefined;
    return {
      take: () => {
        taken ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
        return taken;
      },
      giveBack: () => {
        if (taken !== undefined && this.#free.length < KEPT) this.#free.push(taken);
        taken = undefined;
      },
    };
  }
}

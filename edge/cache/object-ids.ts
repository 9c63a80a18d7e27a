/**
 * Names for bodies. Those made one after another begin alike: their rows lie on the same pages of the index then, and each
 * page that a transaction touches is written twice. Unique by what is random behind that.
 */
import { randomFillSync } from 'node:crypto';

/** Hexadecimal digits that so many names in turn share: few enough names to leave the 256 folders even. */
const SHARED_DIGITS = 8;
const SHARED_BY = 64;
/** Of one name alone, the mark among them. */
const OWN_DIGITS = 16;

export class ObjectIds {
  /** The end of each name. */
  readonly #mark: string;
  readonly #room = Buffer.alloc((SHARED_DIGITS + SHARED_BY * OWN_DIGITS) / 2);
  #digits = '';
  #made = SHARED_BY;

  constructor(mark = '') {
    this.#mark = mark;
  }

  next(): string {
    if (this.#made === SHARED_BY) {
      this.#digits = randomFillSync(this.#room).toString('hex');
      this.#made = 0;
    }
    const begin = SHARED_DIGITS + this.#made++ * OWN_DIGITS;
    const own = this.#digits.slice(begin, begin + OWN_DIGITS - this.#mark.length);
    return this.#digits.slice(0, SHARED_DIGITS) + own + this.#mark;
  }
}

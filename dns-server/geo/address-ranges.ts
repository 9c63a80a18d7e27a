/**
 * Ranges of addresses of one IP version, each with a number: flat arrays, so that half a million cost some megabytes,
 * and a binary search. Ranges may be added in any order; they must not overlap.
 */
export class AddressRanges {
  /** 32-bit words of an address: one of IPv4, four of IPv6. */
  readonly #words: number;
  #first: Uint32Array;
  #last: Uint32Array;
  #value: Uint32Array;
  #size = 0;
  #sorted = true;

  constructor(version: 4 | 6) {
    this.#words = version === 4 ? 1 : 4;
    this.#first = new Uint32Array(64 * this.#words);
    this.#last = new Uint32Array(64 * this.#words);
    this.#value = new Uint32Array(64);
  }

  add(first: Uint8Array, last: Uint8Array, value: number): void {
    if (this.#size === this.#value.length) this.#grow();
    const index = this.#size++;
    this.#write(this.#first, index, first);
    this.#write(this.#last, index, last);
    this.#value[index] = value;
    if (index > 0 && this.#compare(index - 1, index) > 0) this.#sorted = false;
  }

  /** The number of the range that holds the address. */
  find(address: Uint8Array): number | undefined {
    if (!this.#sorted) this.#sort();
    const wanted = new Uint32Array(this.#words);
    this.#write(wanted, 0, address);
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareAt(this.#first, middle * this.#words, wanted, 0, this.#words) <= 0) low = middle + 1;
      else high = middle;
    }
    // The range that begins last before the address, if it reaches that far.
    const index = low - 1;
    if (index < 0 || compareAt(this.#last, index * this.#words, wanted, 0, this.#words) < 0) return undefined;
    return this.#value[index];
  }

  #write(words: Uint32Array, index: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      const word = index * this.#words + (at >> 2);
      words[word] = ((words[word] ?? 0) << 8) | (bytes[at] ?? 0);
    }
  }

  #compare(a: number, b: number): number {
    return compareAt(this.#first, a * this.#words, this.#first, b * this.#words, this.#words);
  }

  #grow(): void {
    const grown = (array: Uint32Array) => {
      const larger = new Uint32Array(array.length * 2);
      larger.set(array);
      return larger;
    };
    this.#first = grown(this.#first);
    this.#last = grown(this.#last);
    this.#value = grown(this.#value);
  }

  #sort(): void {
    const order = Uint32Array.from({ length: this.#size }, (_, index) => index).sort((a, b) =>
      this.#compare(a, b),
    );
    const sorted = (array: Uint32Array, words: number) => {
      const out = new Uint32Array(array.length);
      for (const [to, from] of order.entries()) {
        out.set(array.subarray(from * words, (from + 1) * words), to * words);
      }
      return out;
    };
    this.#first = sorted(this.#first, this.#words);
    this.#last = sorted(this.#last, this.#words);
    this.#value = sorted(this.#value, 1);
    this.#sorted = true;
  }
}

function compareAt(a: Uint32Array, atA: number, b: Uint32Array, atB: number, words: number): number {
  for (let index = 0; index < words; index++) {
    const difference = (a[atA + index] ?? 0) - (b[atB + index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

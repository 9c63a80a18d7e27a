/** Signatures by what they sign. Bounded by two generations: what was not asked for during a whole one is forgotten. */

export interface Signed {
  signatures: readonly Uint8Array[];
  /** From then on they are made anew, in milliseconds since the Unix epoch. */
  refreshAt: number;
}

export class SignatureCache {
  readonly #entries: number;
  #young = new Map<string, Signed>();
  #old = new Map<string, Signed>();

  constructor(entries: number) {
    this.#entries = entries;
  }

  get(id: string, now: number, make: () => Signed): readonly Uint8Array[] {
    const young = this.#young.get(id);
    if (young && now < young.refreshAt) return young.signatures;
    const old = this.#old.get(id);
    const signed = old && now < old.refreshAt ? old : make();
    this.#keep(id, signed);
    return signed.signatures;
  }

  #keep(id: string, signed: Signed): void {
    if (this.#young.size >= this.#entries / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, signed);
  }
}

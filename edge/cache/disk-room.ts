/**
 * How much lies on disk, by domain, and what is over a limit: the whole tier's, or the quota of a domain. Only counts;
 * disk-tier.ts takes out what has to go.
 */

export interface Stored {
  objects: number;
  bytes: number;
}

/** What is over a limit: of one domain, or of all together. */
export interface Excess {
  domain?: string;
  bytes: number;
}

export class DiskRoom {
  readonly #limit: number;
  #total: Stored = { objects: 0, bytes: 0 };
  #byDomain = new Map<string, Stored>();
  #quotas: ReadonlyMap<string, number> = new Map();
  /** Domains over their quota. */
  readonly #over = new Set<string>();
  /** Bytes in files of objects that are still being fetched, by id: they take room as well. */
  readonly #filling = new Map<string, number>();
  #fillingBytes = 0;
  /** The same in other processes. */
  fillingElsewhere = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get total(): Stored {
    return this.#total;
  }

  get byDomain(): ReadonlyMap<string, Stored> {
    return this.#byDomain;
  }

  get fillingBytes(): number {
    return this.#fillingBytes;
  }

  /** Bodies of a domain that are larger cannot be stored. */
  largest(domain: string): number {
    return Math.min(this.#limit, this.#quotas.get(domain) ?? this.#limit);
  }

  /** Bytes that each of these domains may take. */
  limitDomains(quotas: ReadonlyMap<string, number>): void {
    this.#quotas = quotas;
    this.#over.clear();
    for (const domain of this.#byDomain.keys()) this.#noteOver(domain);
  }

  /** More objects of a domain, or fewer. */
  add(domain: string, { objects, bytes }: Stored): void {
    const before = this.#byDomain.get(domain) ?? { objects: 0, bytes: 0 };
    const after = { objects: before.objects + objects, bytes: before.bytes + bytes };
    if (after.objects === 0 && after.bytes === 0) this.#byDomain.delete(domain);
    else this.#byDomain.set(domain, after);
    this.#total = { objects: this.#total.objects + objects, bytes: this.#total.bytes + bytes };
    this.#noteOver(domain);
  }

  #noteOver(domain: string): void {
    if (this.#ofDomain(domain) > 0) this.#over.add(domain);
    else this.#over.delete(domain);
  }

  #ofDomain(domain: string): number {
    return (this.#byDomain.get(domain)?.bytes ?? 0) - (this.#quotas.get(domain) ?? Number.POSITIVE_INFINITY);
  }

  /** Bytes were written to a file whose object is not counted yet. */
  grew(id: string, bytes: number): void {
    this.#filling.set(id, (this.#filling.get(id) ?? 0) + bytes);
    this.#fillingBytes += bytes;
  }

  /** It is counted now, or gone. */
  grown(id: string): void {
    this.#fillingBytes -= this.#filling.get(id) ?? 0;
    this.#filling.delete(id);
  }

  /** A domain's own quota before the limit of all: others must not make room for it. */
  excess(): Excess | undefined {
    for (const domain of this.#over) return { domain, bytes: this.#ofDomain(domain) };
    const bytes = this.#total.bytes + this.#fillingBytes + this.fillingElsewhere - this.#limit;
    return bytes > 0 ? { bytes } : undefined;
  }

  /** What was counted, by domain; counting begins anew. For a process that tells it to another one. */
  take(): [domain: string, Stored][] {
    const counted = [...this.#byDomain];
    this.#byDomain = new Map();
    this.#total = { objects: 0, bytes: 0 };
    return counted;
  }
}

/**
 * The stored answers: memory tier above disk tier. Every method but the ones that read or write bodies is synchronous,
 * so that a lookup, a purge and a store never interleave.
 *
 *     lookup ── memory ── index          body ── memory ── file
 *     put ───── memory, then file, then index: a row in the index means a whole file
 *
 * What is dropped by command goes through purges.ts.
 */
import { Admission, type AdmissionMode } from './admission.ts';
import type { ByteSource } from './byte-source.ts';
import type { Stored } from './disk-room.ts';
import { DiskTier, type DiskTierOptions } from './disk-tier.ts';
import { FillBody, type FilledBody } from './fill-body.ts';
import type { CacheKey } from './key.ts';
import { type HotEntry, MemoryTier } from './memory-tier.ts';
import { ObjectIds } from './object-ids.ts';
import type { OpenBody } from './open-bodies.ts';
import { Purges } from './purges.ts';
import type { Rest } from './rest-source.ts';
import type { FolderChange } from './shared-folder.ts';
import { SmallWrites } from './small-writes.ts';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from './stored-object.ts';
import { sameSelection } from './vary.ts';

export interface StoreOptions extends DiskTierOptions {
  memoryBytes: number;
  /** What may go to the disk; all by default. */
  admission?: AdmissionMode | undefined;
}

/** Variants below one key: an origin that varies on a cookie must not fill the cache with one page. */
const MAX_VARIANTS = 64;

export interface StoreStats {
  /** Keys, not objects: variants of one URL stay together there. */
  memory: Stored;
  disk: Stored;
  /** On disk, by the domain's uid. */
  byDomain: ReadonlyMap<string, Stored>;
}

export class Store {
  readonly purges: Purges;
  readonly #options: StoreOptions;
  readonly #disk: DiskTier;
  readonly #smallWrites: SmallWrites;
  readonly #memory: MemoryTier;
  /** Objects whose file is being written: in memory, not yet in the index. */
  readonly #unwritten = new Map<string, StoredObject>();
  readonly #admission: Admission;
  readonly #ids: ObjectIds;
  /** Objects that were not admitted to the disk; the next use of one is its second. */
  readonly #onlyInMemory = new Set<string>();

  constructor(options: StoreOptions) {
    const { memoryBytes, metrics, share } = options;
    this.#options = options;
    this.#ids = new ObjectIds(share === undefined || share === 'owner' ? '' : share.mark);
    this.#disk = new DiskTier(options);
    this.#smallWrites = new SmallWrites(this.#disk, {
      isWanted: (id) => this.#unwritten.has(id),
      onDone: (id, isWhole) => this.#written(id, isWhole),
    });
    this.#admission = new Admission(options.admission ?? 'always');
    this.#memory = new MemoryTier(
      memoryBytes,
      (objects) => metrics.evictions.inc({ tier: 'memory' }, objects),
      (id) => this.#onlyInMemory.delete(id),
    );
    this.purges = new Purges({
      disk: this.#disk,
      memory: this.#memory,
      unwritten: this.#unwritten,
      clock: options.clock,
    });
    if (this.#isSharer()) return;
    this.#disk.sweep((id) => this.#unwritten.has(id));
    this.purges.resume();
  }

  /** What the memory tier may hold. */
  get memoryBytes(): number {
    return this.#options.memoryBytes;
  }

  #isSharer(): boolean {
    return this.#options.share !== undefined && this.#options.share !== 'owner';
  }

  /** Bodies of a domain that are larger cannot be stored. */
  largest(domain: string): number {
    return this.#disk.largest(domain);
  }

  /** Bytes on disk that each of these domains may take. */
  limitDomains(quotas: ReadonlyMap<string, number>): void {
    this.#disk.limitDomains(quotas);
  }

  /** It is being fetched: may it go to the disk? */
  admits(key: CacheKey): boolean {
    return this.#admission.admits(key.id);
  }

  stats(): StoreStats {
    return {
      memory: { objects: this.#memory.size, bytes: this.#memory.bytes },
      disk: this.#disk.recorded,
      byDomain: this.#disk.byDomain,
    };
  }

  /** All variants of a key, newest first. */
  lookup(key: CacheKey): readonly StoredObject[] {
    const hot = this.#memory.get(key.id);
    if (hot !== undefined) return hot.variants;
    const found = this.purges.leftOf(this.#disk.find(key)).sort(newestFirst);
    const variants = found.filter(
      (one, at) => found.findIndex(({ selection }) => sameSelection(selection, one.selection)) === at,
    );
    if (variants.length > 0) this.#memory.set(key.id, variants);
    // Workers that missed at once have each stored it: while both were there, no hit on it would be a ready one.
    for (const { id } of found) if (!variants.some((kept) => kept.id === id)) this.#dropStored(id);
    return variants;
  }

  /** What memory has for a key, without a look at the disk. */
  hot(key: CacheKey): HotEntry | undefined {
    return this.#memory.get(key.id);
  }

  /** Notes that a body was used which `hot` gave. */
  used(object: StoredObject): void {
    this.#disk.used(object.id);
    if (this.#onlyInMemory.size > 0 && this.#onlyInMemory.delete(object.id)) this.#admit(object);
  }

  #admit({ id, key }: StoredObject): void {
    const entry = this.#memory.get(key.id);
    const object = entry?.variants.find((variant) => variant.id === id);
    const bytes = entry?.bodies.get(id);
    if (object !== undefined && bytes !== undefined) this.#write(object, bytes);
  }

  /** The body: bytes where it is in memory or small, else a source. Throws CorruptBody, and then has dropped the object. */
  async body(object: StoredObject): Promise<Buffer | ByteSource> {
    this.used(object);
    const hot = this.#memory.get(object.key.id)?.bodies.get(object.id);
    if (hot !== undefined) return hot;
    const onDamage = (error: unknown) => this.#damaged(object, error);
    try {
      return await (object.size <= BLOCK_BYTES
        ? this.#readSmall(object)
        : this.#disk.openLarge(object, onDamage));
    } catch (error) {
      throw onDamage(error);
    }
  }

  /** The body as a file that may be sent as it is, if it is one and that part of it was found whole before. */
  whole(object: StoredObject, first: number, last: number): OpenBody | undefined {
    return object.size > BLOCK_BYTES ? this.#disk.whole(object, first, last) : undefined;
  }

  async #readSmall(object: StoredObject): Promise<Buffer> {
    const bytes = await this.#disk.readSmall(object);
    const entry = this.#memory.get(object.key.id);
    // Purged or replaced while it was read: it may be sent to who asked before, but not be put back.
    if (entry?.variants.includes(object)) {
      this.#memory.set(object.key.id, entry.variants, [[object.id, bytes]]);
    }
    return bytes;
  }

  #damaged(object: StoredObject, error: unknown): Error {
    // Where several processes share the folder, another one may have removed it just now.
    if (this.#options.share === undefined || !isMissing(error)) this.#disk.failed('read', error);
    this.drop(object);
    return error instanceof CorruptBody ? error : new CorruptBody('body cannot be read', { cause: error });
  }

  /** A place for a body that is about to come. */
  beginBody(
    { domain }: CacheKey,
    { onRelay, rest }: { onRelay: () => void; rest: Rest },
  ): { id: string; body: FillBody } {
    const id = this.#ids.next();
    const body = new FillBody({
      createFile: () => this.#disk.create(id),
      maxBytes: this.largest(domain),
      onWritten: (bytes) => this.#disk.grew(id, bytes),
      onRelay: (reason) => {
        this.#disk.failed('write', reason);
        onRelay();
      },
      onUnreadable: (reason) => this.#disk.failed('read', reason),
      rest,
    });
    return { id, body };
  }

  /** Takes a whole body in, in place of the variant with the same selection; one in memory stays there unless admitted. */
  put(object: StoredObject, kept: FilledBody['kept'], admitted = true): void {
    switch (kept.in) {
      case 'nothing':
        this.discard(object.id);
        break;
      case 'file':
        this.#setVariants(object);
        this.#disk.record(object);
        break;
      case 'memory':
        if (!admitted) this.#onlyInMemory.add(object.id);
        this.#setVariants(object, [[object.id, kept.bytes]]);
        if (admitted) this.#write(object, kept.bytes);
    }
  }

  #write(object: StoredObject, bytes: Buffer): void {
    this.#unwritten.set(object.id, object);
    this.#smallWrites.add(object.id, bytes);
  }

  #written(id: string, isWhole: boolean): void {
    const object = this.#unwritten.get(id);
    this.#unwritten.delete(id);
    // Purged or replaced meanwhile, or not written: then no row may bring it back with the next start.
    if (object === undefined || !isWhole) this.discard(id);
    else this.#disk.record(object);
  }

  /** The same bytes with the head that a 304 made of it (RFC 9111 4.3.4). */
  refresh(object: StoredObject): void {
    if (!this.lookup(object.key).some(({ id }) => id === object.id)) return;
    if (this.#unwritten.has(object.id)) this.#unwritten.set(object.id, object);
    else this.#disk.update(object);
    this.#setVariants(object);
  }

  #setVariants(object: StoredObject, bodies: Iterable<readonly [string, Buffer]> = []): void {
    const others = this.lookup(object.key).filter(({ id }) => id !== object.id);
    const different = others.filter(({ selection }) => !sameSelection(selection, object.selection));
    const variants = [object, ...different].slice(0, MAX_VARIANTS);
    this.#memory.set(object.key.id, variants, bodies);
    for (const gone of others.filter((other) => !variants.includes(other))) this.#dropStored(gone.id);
  }

  drop(object: StoredObject): void {
    const rest = this.lookup(object.key).filter(({ id }) => id !== object.id);
    this.#memory.set(object.key.id, rest);
    this.#dropStored(object.id);
  }

  #dropStored(id: string): void {
    this.#unwritten.delete(id);
    this.#disk.drop(id);
  }

  /** Throws away the file of a body that is not stored after all. */
  discard(id: string): void {
    this.#disk.discard(id);
  }

  /** What another process of this edge did to the folder: heads in memory that may be old by now are looked up again. */
  changedElsewhere({ keys, gone, stored }: Omit<FolderChange, 'filling'>): void {
    const unwritten = new Set([...this.#unwritten.values()].map(({ key }) => key.id));
    for (const key of keys) if (!unwritten.has(key)) this.#memory.delete(key);
    this.#disk.changedElsewhere({ gone, stored });
  }

  fillingElsewhere(bytes: number): void {
    this.#disk.fillingElsewhere(bytes);
  }

  sweepAfter(mark: string): void {
    this.#disk.sweepAfter(mark);
  }

  takeChanged(): Pick<FolderChange, 'keys' | 'gone'> {
    return this.#disk.takeChanged();
  }

  /** Domains of which something is stored on disk. */
  domains(): string[] {
    this.#disk.flush();
    return this.#disk.index.domains();
  }

  close(): Promise<void> {
    this.purges.close();
    this.#smallWrites.flush();
    return this.#disk.close();
  }
}

/** All workers put them in one order, also those of one moment: each leaves the same one. */
function newestFirst(a: StoredObject, b: StoredObject): number {
  return b.responseTime - a.responseTime || (a.id < b.id ? 1 : -1);
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof CorruptBody ? error.cause : error;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

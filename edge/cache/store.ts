/**
 * The stored answers: memory tier above disk tier. Every method but the ones that read or write bodies is synchronous,
 * so that a lookup, a purge and a store never interleave.
 *
 *     lookup ── memory ── index          body ── memory ── file
 *     put ───── memory, then file, then index: a row in the index means a whole file
 *
 * A purge takes rows out of the index in the transaction that also remembers its uid, and the fetches under way are
 * detached before: no mark is needed that would have to be asked at every lookup.
 */
import { randomBytes } from 'node:crypto';
import type { ByteSource } from './byte-source.ts';
import type { DroppedRow } from './disk-index.ts';
import { DiskTier, type DiskTierOptions } from './disk-tier.ts';
import { FillBody, type FilledBody } from './fill-body.ts';
import type { CacheKey } from './key.ts';
import { MemoryTier } from './memory-tier.ts';
import { covers, type PurgeScope } from './purge-scope.ts';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from './stored-object.ts';
import { sameSelection } from './vary.ts';

export interface StoreOptions extends DiskTierOptions {
  memoryBytes: number;
}

/** Variants below one key: an origin that varies on a cookie must not fill the cache with one page. */
const MAX_VARIANTS = 64;
/** Commands whose uid is remembered. An operator repeats only what is not acked, so thousands are more than enough. */
const REMEMBERED_COMMANDS = 10_000;

interface TierStats {
  objects: number;
  bytes: number;
}

export interface StoreStats {
  /** Keys, not objects: variants of one URL stay together there. */
  memory: TierStats;
  disk: TierStats;
}

export interface CommandResult {
  objects: number;
  durationMs: number;
}

export class Store {
  readonly #options: StoreOptions;
  readonly #disk: DiskTier;
  readonly #memory: MemoryTier;
  /** Objects whose file is being written: in memory, not yet in the index. */
  readonly #unwritten = new Map<string, StoredObject>();
  #generation: number;
  #revalidateBelow: number;

  constructor(options: StoreOptions) {
    const { memoryBytes, metrics } = options;
    this.#options = options;
    this.#disk = new DiskTier(options);
    this.#disk.sweep((id) => this.#unwritten.has(id));
    this.#memory = new MemoryTier(memoryBytes, (objects) =>
      metrics.evictions.inc({ tier: 'memory' }, objects),
    );
    this.#generation = this.#disk.index.counter('generation');
    this.#revalidateBelow = this.#disk.index.counter('revalidate-below');
  }

  /** Rises with every purge. What is fetched carries the one at which its fetch began. */
  get generation(): number {
    return this.#generation;
  }

  /** Bodies that are larger cannot be stored. */
  get maxObjectBytes(): number {
    return this.#options.diskBytes;
  }

  stats(): StoreStats {
    return { memory: { objects: this.#memory.size, bytes: this.#memory.bytes }, disk: this.#disk.totals };
  }

  /** All variants of a key, newest first. */
  lookup(key: CacheKey): readonly StoredObject[] {
    const hot = this.#memory.get(key.id);
    if (hot !== undefined) return hot.variants;
    const variants = this.#disk.find(key).sort((a, b) => b.responseTime - a.responseTime);
    if (variants.length > 0) this.#memory.set(key.id, variants);
    return variants;
  }

  /** Stored before "revalidate all": the origin must confirm it before it is used. */
  mustRevalidate(object: StoredObject): boolean {
    return object.generation < this.#revalidateBelow;
  }

  /** The body: bytes where it is in memory or small, else a source. Throws CorruptBody, and then has dropped the object. */
  async body(object: StoredObject): Promise<Buffer | ByteSource> {
    this.#disk.used(object.id);
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
    this.#disk.failed('read', error);
    this.drop(object);
    return error instanceof CorruptBody ? error : new CorruptBody('body cannot be read', { cause: error });
  }

  /** A place for a body that is about to come. */
  beginBody(onRelay: () => void): { id: string; body: FillBody } {
    const id = randomBytes(12).toString('hex');
    const body = new FillBody({
      createFile: () => this.#disk.create(id),
      maxBytes: this.maxObjectBytes,
      onWritten: (bytes) => this.#disk.grew(id, bytes),
      onRelay: (reason) => {
        this.#disk.failed('write', reason);
        onRelay();
      },
    });
    return { id, body };
  }

  /** Takes a whole body in, in place of the variant with the same selection. */
  put(object: StoredObject, kept: FilledBody['kept']): void {
    switch (kept.in) {
      case 'nothing':
        this.discard(object.id);
        break;
      case 'file':
        this.#setVariants(object);
        this.#disk.record(object);
        break;
      case 'memory':
        this.#setVariants(object, [[object.id, kept.bytes]]);
        this.#unwritten.set(object.id, object);
        this.#disk.later(this.#writeSmall(object.id, kept.bytes));
    }
  }

  async #writeSmall(id: string, bytes: Buffer): Promise<void> {
    try {
      await using file = await this.#disk.create(id);
      await file.writeFile(bytes);
    } catch (error) {
      this.#disk.failed('write', error);
      this.#unwritten.delete(id);
    }
    const object = this.#unwritten.get(id);
    this.#unwritten.delete(id);
    // Purged or replaced meanwhile, or not written: then no row may bring it back with the next start.
    if (object === undefined) this.discard(id);
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

  /**
   * Drops all that the scopes cover. With a uid it is on the disk when this returns, and remembered: after a crash
   * either all of it happened, or none. The caller has detached the fetches that are under way.
   */
  purge(scopes: readonly PurgeScope[], uid?: string): CommandResult {
    const begin = performance.now();
    const gone = this.#dropFromMemory(({ key }) => scopes.some((scope) => covers(scope, key)));
    const { index } = this.#disk;
    let rows: DroppedRow[] = [];
    const run = () => {
      index.setCounter('generation', this.#generation + 1);
      rows = scopes.flatMap((scope) => this.#disk.takeOut(scope));
      for (const { id } of rows) gone.add(id);
      const result = { objects: gone.size, durationMs: performance.now() - begin };
      if (uid !== undefined) this.#remember(uid, result);
      return result;
    };
    const result = uid === undefined ? index.transaction(run) : index.durably(run);
    this.#generation++;
    this.#disk.forget(rows);
    return result;
  }

  #dropFromMemory(matches: (object: StoredObject) => boolean): Set<string> {
    const gone = new Set(this.#memory.removeWhere(matches));
    for (const [id, object] of this.#unwritten) {
      if (!matches(object)) continue;
      this.#unwritten.delete(id);
      gone.add(id);
    }
    return gone;
  }

  /** Everything stored up to now must be confirmed by the origin before it is used again. */
  revalidateAll(uid: string): CommandResult {
    const begin = performance.now();
    const generation = this.#generation + 1;
    const objects = this.#disk.totals.objects + this.#unwritten.size;
    const result = this.#disk.index.durably(() => {
      this.#disk.index.setCounter('generation', generation);
      this.#disk.index.setCounter('revalidate-below', generation);
      const done = { objects, durationMs: performance.now() - begin };
      this.#remember(uid, done);
      return done;
    });
    this.#generation = generation;
    this.#revalidateBelow = generation;
    return result;
  }

  /** What a command did that was applied before, also before a restart. */
  applied(uid: string): CommandResult | undefined {
    return this.#disk.index.applied(uid);
  }

  #remember(uid: string, result: CommandResult): void {
    this.#disk.index.remember(uid, this.#options.clock.now(), result, REMEMBERED_COMMANDS);
  }

  /** Domains of which something is stored on disk. */
  domains(): string[] {
    return this.#disk.index.domains();
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}

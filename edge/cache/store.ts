/**
 * The stored answers: memory tier above disk tier. Every method but the ones that read or write bodies is synchronous,
 * so that a lookup, a purge and a store never interleave.
 *
 *     lookup ── memory ── index          body ── memory ── file
 *     put ───── memory, then file, then index: a row in the index means a whole file
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { EdgeMetrics } from '../metrics.ts';
import { type BodyFiles, bodyFiles } from './body-files.ts';
import type { ByteSource } from './byte-source.ts';
import { type DiskIndex, type DroppedRow, openDiskIndex } from './disk-index.ts';
import { FillBody, type FilledBody } from './fill-body.ts';
import type { CacheKey } from './key.ts';
import { MemoryTier } from './memory-tier.ts';
import { covers, type PurgeScope } from './purge-scope.ts';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from './stored-object.ts';
import { sameSelection } from './vary.ts';

export interface StoreOptions {
  /** The `cache` folder of the edge's state. */
  folder: string;
  memoryBytes: number;
  diskBytes: number;
  clock: Clock;
  log: Log;
  metrics: EdgeMetrics;
}

/** Variants below one key: an origin that varies on a cookie must not fill the cache with one page. */
const MAX_VARIANTS = 64;
/** Commands whose uid is remembered. An operator repeats only what is not acked, so thousands are more than enough. */
const REMEMBERED_COMMANDS = 10_000;
/** How often uses are written to the index; eviction needs no finer picture. */
const TOUCH_EVERY_MS = 5_000;
const EVICT_AT_ONCE = 16;

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
  readonly #index: DiskIndex;
  readonly #files: BodyFiles;
  readonly #memory: MemoryTier;
  /** Objects whose file is being written: in memory, not yet in the index. */
  readonly #unwritten = new Map<string, StoredObject>();
  readonly #background = new Set<Promise<unknown>>();
  readonly #touched = new Set<string>();
  readonly #stopTouching: () => void;
  #disk: { objects: number; bytes: number };
  #generation: number;
  #revalidateBelow: number;

  constructor(options: StoreOptions) {
    const { folder, clock, log, metrics, memoryBytes } = options;
    this.#options = options;
    this.#index = openDiskIndex(folder, log);
    this.#files = bodyFiles(join(folder, 'objects'));
    this.#memory = new MemoryTier(memoryBytes, (objects) =>
      metrics.evictions.inc({ tier: 'memory' }, objects),
    );
    this.#disk = this.#index.totals();
    this.#generation = this.#index.counter('generation');
    this.#revalidateBelow = this.#index.counter('revalidate-below');
    this.#stopTouching = clock.every(TOUCH_EVERY_MS, () => this.#writeUses());
    const begin = Date.now();
    this.#later(
      this.#files.sweep((id) => this.#index.has(id) || this.#unwritten.has(id), begin),
      'sweep of left-over files',
    );
    this.#makeRoom();
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
    return { memory: { objects: this.#memory.size, bytes: this.#memory.bytes }, disk: this.#disk };
  }

  /** All variants of a key, newest first. */
  lookup(key: CacheKey): readonly StoredObject[] {
    const hot = this.#memory.get(key.id);
    if (hot !== undefined) return hot.variants;
    const variants = this.#try('read', () => this.#index.find(key)) ?? [];
    variants.sort((a, b) => b.responseTime - a.responseTime);
    if (variants.length > 0) this.#memory.set(key.id, variants);
    return variants;
  }

  /** Stored before "revalidate all": the origin must confirm it before it is used. */
  mustRevalidate(object: StoredObject): boolean {
    return object.generation < this.#revalidateBelow;
  }

  /** The body: bytes where it is in memory or small, else a source. Throws CorruptBody, and then has dropped the object. */
  async body(object: StoredObject): Promise<Buffer | ByteSource> {
    this.#touched.add(object.id);
    const hot = this.#memory.get(object.key.id)?.bodies.get(object.id);
    if (hot !== undefined) return hot;
    try {
      return object.size <= BLOCK_BYTES ? await this.#readSmall(object) : await this.#openLarge(object);
    } catch (error) {
      throw this.#damaged(object, error);
    }
  }

  async #readSmall(object: StoredObject): Promise<Buffer> {
    const bytes = await this.#files.readBlock(object);
    const entry = this.#memory.get(object.key.id);
    // Purged or replaced while it was read: it may be sent to who asked before, but not be put back.
    if (entry?.variants.includes(object)) {
      this.#memory.set(object.key.id, entry.variants, [[object.id, bytes]]);
    }
    return bytes;
  }

  async #openLarge(object: StoredObject): Promise<ByteSource> {
    const body = await this.#files.open(object);
    return {
      read: async (offset, buffer) => {
        if (offset >= object.size) return buffer.subarray(0, 0);
        const block = await body.block(Math.floor(offset / BLOCK_BYTES), buffer).catch((error: unknown) => {
          throw this.#damaged(object, error);
        });
        return block.subarray(offset % BLOCK_BYTES);
      },
      close: async () => await body[Symbol.asyncDispose](),
    };
  }

  #damaged(object: StoredObject, error: unknown): Error {
    this.#failed('read', error);
    this.drop(object);
    return error instanceof CorruptBody ? error : new CorruptBody('body cannot be read', { cause: error });
  }

  /** A place for a body that is about to come. */
  beginBody(onRelay: () => void): { id: string; body: FillBody } {
    const id = randomBytes(12).toString('hex');
    const body = new FillBody({
      createFile: () => this.#files.create(id),
      maxBytes: this.maxObjectBytes,
      onRelay: (reason) => {
        this.#failed('write', reason);
        onRelay();
      },
    });
    return { id, body };
  }

  /** Takes a whole body in, in place of the variant with the same selection. */
  put(object: StoredObject, kept: FilledBody['kept']): void {
    if (kept.in === 'nothing') {
      this.discard(object.id);
      return;
    }
    const bodies = kept.in === 'memory' ? [[object.id, kept.bytes] as const] : [];
    this.#setVariants(object, bodies);
    if (kept.in === 'file') this.#record(object);
    else this.#later(this.#writeSmall(object, kept.bytes), 'write');
  }

  async #writeSmall(object: StoredObject, bytes: Buffer): Promise<void> {
    this.#unwritten.set(object.id, object);
    try {
      await using file = await this.#files.create(object.id);
      await file.writeFile(bytes);
    } catch (error) {
      this.#failed('write', error);
      this.#unwritten.delete(object.id);
      this.discard(object.id);
      return;
    }
    // Purged or replaced meanwhile: then it must not come back with the next start.
    const current = this.#unwritten.get(object.id);
    if (current === undefined) {
      this.discard(object.id);
      return;
    }
    this.#unwritten.delete(object.id);
    this.#record(current);
  }

  #record(object: StoredObject): void {
    const written = this.#try('write', () => {
      this.#index.put(object, this.#options.clock.now());
      return true;
    });
    if (!written) {
      this.discard(object.id);
      return;
    }
    this.#disk = { objects: this.#disk.objects + 1, bytes: this.#disk.bytes + object.size };
    this.#makeRoom();
  }

  /** The same bytes with the head that a 304 made of it (RFC 9111 4.3.4). */
  refresh(object: StoredObject): void {
    const present = this.lookup(object.key).some(({ id }) => id === object.id);
    if (!present) return;
    if (this.#unwritten.has(object.id)) this.#unwritten.set(object.id, object);
    else if (this.#index.has(object.id)) {
      this.#try('write', () => this.#index.put(object, this.#options.clock.now()));
    }
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

  /** Throws away a file that no object owns. */
  discard(id: string): void {
    this.#later(this.#files.remove(id), 'remove');
  }

  #dropStored(id: string): void {
    this.#unwritten.delete(id);
    this.#forget(this.#try('write', () => this.#index.drop(id)) ?? []);
  }

  #forget(rows: readonly DroppedRow[]): void {
    for (const { id, size } of rows) {
      this.#disk = { objects: this.#disk.objects - 1, bytes: this.#disk.bytes - size };
      this.discard(id);
    }
  }

  /**
   * Drops all that the scopes cover. Rows go in one transaction with `uid`'s remembrance and the new generation: after
   * a crash either all of it happened, or none. The caller has detached the fetches that are under way.
   */
  purge(scopes: readonly PurgeScope[], uid?: string): CommandResult {
    const begin = performance.now();
    const gone = new Set(this.#memory.removeWhere(({ key }) => scopes.some((scope) => covers(scope, key))));
    for (const [id, { key }] of this.#unwritten) {
      if (!scopes.some((scope) => covers(scope, key))) continue;
      this.#unwritten.delete(id);
      gone.add(id);
    }
    let rows: DroppedRow[] = [];
    const run = () => {
      this.#index.setCounter('generation', this.#generation + 1);
      rows = scopes.flatMap((scope) => this.#dropRows(scope));
      for (const { id } of rows) gone.add(id);
      const result = { objects: gone.size, durationMs: performance.now() - begin };
      if (uid !== undefined) this.#remember(uid, result);
      return result;
    };
    const result = uid === undefined ? this.#index.transaction(run) : this.#index.durably(run);
    this.#generation++;
    this.#forget(rows);
    return { ...result, durationMs: performance.now() - begin };
  }

  #dropRows(scope: PurgeScope): DroppedRow[] {
    if (scope.by === 'everything') return this.#index.dropDomain(scope.domain);
    if (scope.by === 'prefix' && scope.query === '') {
      return this.#index.dropPrefix(scope.domain, scope.path);
    }
    return this.#index
      .ofPath(scope.domain, scope.path)
      .filter(({ key }) => covers(scope, key))
      .flatMap(({ id }) => this.#index.drop(id));
  }

  /** Everything stored up to now must be confirmed by the origin before it is used again. */
  revalidateAll(uid: string): CommandResult {
    const begin = performance.now();
    const generation = this.#generation + 1;
    const result = { objects: this.#disk.objects + this.#unwritten.size, durationMs: 0 };
    this.#index.durably(() => {
      this.#index.setCounter('generation', generation);
      this.#index.setCounter('revalidate-below', generation);
      this.#remember(uid, result);
    });
    this.#generation = generation;
    this.#revalidateBelow = generation;
    return { ...result, durationMs: performance.now() - begin };
  }

  /** What a command did that was applied before, also before a restart. */
  applied(uid: string): CommandResult | undefined {
    return this.#index.applied(uid);
  }

  #remember(uid: string, result: CommandResult): void {
    this.#index.remember(uid, this.#options.clock.now(), result, REMEMBERED_COMMANDS);
  }

  /** Domains of which something is stored. */
  domains(): string[] {
    return this.#index.domains();
  }

  async close(): Promise<void> {
    this.#stopTouching();
    await Promise.allSettled(this.#background);
    this.#writeUses();
    this.#index.close();
  }

  #writeUses(): void {
    if (this.#touched.size === 0) return;
    this.#try('write', () => this.#index.touch(this.#touched, this.#options.clock.now()));
    this.#touched.clear();
  }

  #makeRoom(): void {
    while (this.#disk.bytes > this.#options.diskBytes) {
      const oldest = this.#try('write', () =>
        this.#index.transaction(() => {
          const rows: DroppedRow[] = [];
          let excess = this.#disk.bytes - this.#options.diskBytes;
          for (const { id, size } of this.#index.oldest(EVICT_AT_ONCE)) {
            if (excess <= 0) break;
            rows.push(...this.#index.drop(id));
            excess -= size;
          }
          return rows;
        }),
      );
      if (oldest === undefined || oldest.length === 0) return;
      this.#options.metrics.evictions.inc({ tier: 'disk' }, oldest.length);
      this.#forget(oldest);
    }
  }

  /** A tier that fails makes the cache smaller, never a request fail: it is counted and logged. */
  #failed(operation: 'read' | 'write', error: unknown): void {
    this.#options.metrics.storeErrors.inc({ operation });
    this.#options.log.warn({ err: error, operation }, 'the cache cannot use its disk as it should');
  }

  #try<T>(operation: 'read' | 'write', run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#failed(operation, error);
      return undefined;
    }
  }

  #later(work: Promise<unknown>, what: string): void {
    const tracked = work
      .catch((error: unknown) => this.#options.log.warn({ err: error }, `${what} failed`))
      .finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}

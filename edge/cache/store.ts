/**
 * The stored answers: memory tier above disk tier. Every method but the ones that read or write bodies is synchronous,
 * so that a lookup, a purge and a store never interleave.
 *
 *     lookup ── memory ── index          body ── memory ── file
 *     put ───── memory, then file, then index: a row in the index means a whole file
 *
 * A purge takes rows out of the index in the transaction that also remembers its uid, and the fetches under way are
 * detached before. One that covers many rows is in force at once as a ban, which lookups on disk ask, and the lurker
 * works it off in slices; its uid is remembered when that is done.
 */
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Ban, Bans, staleFrom } from './bans.ts';
import type { ByteSource } from './byte-source.ts';
import type { Cursor } from './disk-purge.ts';
import { DiskTier, type DiskTierOptions } from './disk-tier.ts';
import { FillBody, type FilledBody } from './fill-body.ts';
import type { CacheKey } from './key.ts';
import { type HotEntry, MemoryTier } from './memory-tier.ts';
import type { OpenBody } from './open-bodies.ts';
import { covers, type PurgeScope } from './purge-scope.ts';
import type { FolderChange } from './shared-folder.ts';
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

export interface Hiding {
  generation: number;
  staleAt: number | undefined;
}

export interface PurgeOptions {
  /** What makes it durable, and remembered. */
  uid?: string | undefined;
  /** Marks what it covers as stale instead of dropping it. */
  soft?: boolean | undefined;
}

export class Store {
  readonly #options: StoreOptions;
  readonly #disk: DiskTier;
  readonly #memory: MemoryTier;
  /** Objects whose file is being written: in memory, not yet in the index. */
  readonly #unwritten = new Map<string, StoredObject>();
  readonly #bans: Bans;
  #closing = false;
  #generation: number;
  #revalidateBelow: number;

  constructor(options: StoreOptions) {
    const { memoryBytes, metrics } = options;
    this.#options = options;
    this.#disk = new DiskTier(options);
    this.#memory = new MemoryTier(memoryBytes, (objects) =>
      metrics.evictions.inc({ tier: 'memory' }, objects),
    );
    this.#generation = this.#disk.index.counter('generation');
    this.#revalidateBelow = this.#disk.index.counter('revalidate-below');
    this.#bans = new Bans(this.#disk.index.bans());
    if (this.#isSharer()) return;
    this.#disk.sweep((id) => this.#unwritten.has(id));
    this.#disk.later(this.#lurk(this.#bans.list(), new Set()));
  }

  #isSharer(): boolean {
    return this.#options.share !== undefined && this.#options.share !== 'owner';
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
    return { memory: { objects: this.#memory.size, bytes: this.#memory.bytes }, disk: this.#disk.recorded };
  }

  /** All variants of a key, newest first. */
  lookup(key: CacheKey): readonly StoredObject[] {
    const hot = this.#memory.get(key.id);
    if (hot !== undefined) return hot.variants;
    const variants = this.#bans.apply(this.#disk.find(key)).sort((a, b) => b.responseTime - a.responseTime);
    if (variants.length > 0) this.#memory.set(key.id, variants);
    return variants;
  }

  /** What memory has for a key, without a look at the disk. */
  hot(key: CacheKey): HotEntry | undefined {
    return this.#memory.get(key.id);
  }

  /** Notes that a body was used which `hot` gave. */
  used(id: string): void {
    this.#disk.used(id);
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
  beginBody(onRelay: () => void): { id: string; body: FillBody } {
    const { share } = this.#options;
    const mark = share === undefined || share === 'owner' ? '' : share.mark;
    const id = randomBytes(12).toString('hex').slice(mark.length) + mark;
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
   * Drops, or makes stale, all that the scopes cover: none of it is used any more when this returns. With a uid the
   * purge is on the disk then, and remembered once all rows are worked off, which is what the result waits for: after a
   * crash it is as if it had not begun, or goes on. The caller has detached the fetches that are under way.
   */
  async purge(
    scopes: readonly PurgeScope[],
    { uid, soft = false }: PurgeOptions = {},
  ): Promise<CommandResult> {
    const begin = performance.now();
    const now = this.#options.clock.now();
    const generation = this.#generation + 1;
    const bans = scopes.map((scope) => ({ scope, generation, staleAt: soft ? now : undefined }));
    const touched = this.#purgeMemory(scopes, soft ? now : undefined);
    this.#disk.flush();
    const { index } = this.#disk;
    const finish = () => {
      const result = { objects: touched.size, durationMs: performance.now() - begin };
      if (uid !== undefined) this.#remember(uid, result);
      return result;
    };
    const run = () => {
      index.setCounter('generation', generation);
      const slices = bans.map((ban) => ({ ban, ...index.workOff(ban) }));
      const rows = slices.flatMap((slice) => slice.rows);
      for (const { id } of rows) touched.add(id);
      const unfinished = slices.filter(({ next }) => next !== undefined).map(({ ban }) => index.addBan(ban));
      return {
        left: unfinished,
        dropped: soft ? [] : rows,
        result: unfinished.length === 0 ? finish() : undefined,
      };
    };
    const { left, dropped, result } = uid === undefined ? index.transaction(run) : index.durably(run);
    this.#generation = generation;
    this.#disk.forget(dropped);
    if (result !== undefined) return result;
    for (const ban of left) this.#bans.add(ban);
    await this.#lurk(left, touched);
    return index.durably(finish);
  }

  /** Works off what bans cover on disk, and lifts them. */
  async #lurk(bans: readonly Ban[], touched: Set<string>): Promise<void> {
    const { index } = this.#disk;
    for (const ban of bans) {
      let from: Cursor | undefined;
      do {
        await nextTurn();
        if (this.#closing)
          throw new Error('the edge stops; this purge is in force, and goes on with the next start');
        const { rows, next } = index.transaction(() => index.workOff(ban, from));
        for (const { id } of rows) touched.add(id);
        if (ban.staleAt === undefined) this.#disk.forget(rows);
        from = next;
      } while (from !== undefined);
      index.removeBan(ban);
      this.#bans.remove(ban);
    }
  }

  #purgeMemory(scopes: readonly PurgeScope[], staleAt: number | undefined): Set<string> {
    const matches = (object: StoredObject) => scopes.some((scope) => covers(scope, object));
    const unwritten = [...this.#unwritten.values()].filter(matches);
    if (staleAt === undefined) {
      for (const { id } of unwritten) this.#unwritten.delete(id);
      return new Set([...this.#memory.removeWhere(matches), ...unwritten.map(({ id }) => id)]);
    }
    for (const object of unwritten) this.#unwritten.set(object.id, staleFrom(object, staleAt));
    const fresh = (object: StoredObject) => (object.staleAt ?? Number.POSITIVE_INFINITY) > staleAt;
    const marked = this.#memory.replaceWhere(
      (object) => fresh(object) && matches(object),
      (object) => staleFrom(object, staleAt),
    );
    return new Set([...marked, ...unwritten.filter(fresh).map(({ id }) => id)]);
  }

  /**
   * For a process that shares the folder: what another one purges is in force here, too, when this returns. The rows are
   * the other's to take out; until `lift` none of them is used. Says how much was known here alone.
   */
  hide(number: number, scopes: readonly PurgeScope[], { generation, staleAt }: Hiding): number {
    const before = this.#unwritten.size;
    this.#purgeMemory(scopes, staleAt);
    const unwritten = before - this.#unwritten.size;
    // A row that waits must be there to be taken out.
    this.#disk.flush();
    this.#bans.hide(
      number,
      scopes.map((scope) => ({ number, scope, generation, staleAt })),
    );
    if (Number.isInteger(generation)) this.#generation = Math.max(this.#generation, generation);
    return unwritten;
  }

  lift(number: number): void {
    this.#bans.lift(number);
  }

  /** What another process of this edge did to the folder: heads in memory that may be old by now are looked up again. */
  changedElsewhere({ keys, gone, objects, bytes }: Omit<FolderChange, 'filling'>): void {
    const unwritten = new Set([...this.#unwritten.values()].map(({ key }) => key.id));
    for (const key of keys) if (!unwritten.has(key)) this.#memory.delete(key);
    this.#disk.changedElsewhere({ gone, objects, bytes });
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

  get revalidateBelow(): number {
    return this.#revalidateBelow;
  }

  /** For a process that shares the folder: what its owner has remembered. */
  mustRevalidateBelow(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
    this.#revalidateBelow = generation;
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

  /** Remembers a command that did its work elsewhere. */
  remember(uid: string, result: CommandResult): void {
    this.#disk.index.durably(() => this.#remember(uid, result));
  }

  #remember(uid: string, result: CommandResult): void {
    this.#disk.index.remember(uid, this.#options.clock.now(), result, REMEMBERED_COMMANDS);
  }

  /** Domains of which something is stored on disk. */
  domains(): string[] {
    this.#disk.flush();
    return this.#disk.index.domains();
  }

  close(): Promise<void> {
    this.#closing = true;
    return this.#disk.close();
  }
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof CorruptBody ? error.cause : error;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

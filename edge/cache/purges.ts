/**
 * Purges, and what must be remembered of commands. A purge takes rows out of the index in the transaction that also
 * remembers its uid, and the fetches under way are detached before. One that covers many rows is in force at once as a
 * ban, which lookups on disk ask, and the lurker works it off in slices; its uid is remembered when that is done. While
 * the disk takes no writes a purge is in force all the same, and is acked when it could be written down.
 */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { type Ban, Bans, staleFrom } from './bans.ts';
import type { Cursor, NewBan } from './disk-purge.ts';
import type { DiskTier } from './disk-tier.ts';
import type { MemoryTier } from './memory-tier.ts';
import { covers, type PurgeScope } from './purge-scope.ts';
import type { StoredObject } from './stored-object.ts';

/** Commands whose uid is remembered. An operator repeats only what is not acked, so thousands are more than enough. */
const REMEMBERED_COMMANDS = 10_000;
/** How long after a write that failed it is tried again. */
const RETRY_MS = 1_000;

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

export interface PurgesParts {
  disk: DiskTier;
  memory: MemoryTier;
  /** Objects whose file is being written: in memory, not yet in the index. */
  unwritten: Map<string, StoredObject>;
  clock: Clock;
}

export class Purges {
  readonly #disk: DiskTier;
  readonly #memory: MemoryTier;
  readonly #unwritten: Map<string, StoredObject>;
  readonly #clock: Clock;
  readonly #bans: Bans;
  #closing = false;
  /** Of purges that could not be written: below those that other processes give. */
  #unwrittenPurges = 0;
  #generation: number;
  #revalidateBelow: number;

  constructor({ disk, memory, unwritten, clock }: PurgesParts) {
    this.#disk = disk;
    this.#memory = memory;
    this.#unwritten = unwritten;
    this.#clock = clock;
    this.#generation = disk.index.counter('generation');
    this.#revalidateBelow = disk.index.counter('revalidate-below');
    this.#bans = new Bans(disk.index.bans());
  }

  /** Goes on with what a process left behind. */
  resume(): void {
    this.#disk.later(this.#lurk(this.#bans.list(), new Set()));
  }

  /** Rises with every purge. What is fetched carries the one at which its fetch began. */
  get generation(): number {
    return this.#generation;
  }

  /** Stored before "revalidate all": the origin must confirm it before it is used. */
  mustRevalidate(object: StoredObject): boolean {
    return object.generation < this.#revalidateBelow;
  }

  /** What the disk has, as it is after all purges in force. */
  leftOf(objects: readonly StoredObject[]): StoredObject[] {
    return this.#bans.apply(objects);
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
    const now = this.#clock.now();
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
      index.setCounter('generation', Math.max(generation, this.#generation));
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
    const write = () => (uid === undefined ? index.transaction(run) : index.durably(run));
    const { left, dropped, result } = this.#try(write) ?? (await this.#hiddenUntil(bans, write));
    this.#generation = Math.max(this.#generation, generation);
    this.#disk.forget(dropped);
    if (result !== undefined) return result;
    for (const ban of left) this.#bans.add(ban);
    await this.#lurk(left, touched);
    return await this.#untilWritten(() => index.durably(finish));
  }

  /** In force from now on, whether the disk takes it or not. */
  async #hiddenUntil<T>(bans: readonly NewBan[], write: () => T): Promise<T> {
    const number = --this.#unwrittenPurges;
    this.#bans.hide(
      number,
      bans.map((ban) => ({ ...ban, number })),
    );
    this.#generation = Math.max(this.#generation, ...bans.map(({ generation }) => generation));
    const written = await this.#untilWritten(write);
    this.#bans.lift(number);
    return written;
  }

  /** What `write` gives, as soon as the disk takes it. */
  async #untilWritten<T>(write: () => T): Promise<T> {
    for (;;) {
      const written = this.#try(write);
      if (written !== undefined) return written;
      await wait(RETRY_MS, undefined, { ref: false });
      if (this.#closing) throw new Error('the edge stops; the disk did not take what was purged');
    }
  }

  #try<T>(write: () => T): T | undefined {
    try {
      return write();
    } catch (error) {
      this.#disk.failed('write', error);
      return undefined;
    }
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
        const { rows, next } = await this.#untilWritten(() =>
          index.transaction(() => index.workOff(ban, from)),
        );
        for (const { id } of rows) touched.add(id);
        if (ban.staleAt === undefined) this.#disk.forget(rows);
        from = next;
      } while (from !== undefined);
      await this.#untilWritten(() => index.transaction(() => [index.removeBan(ban)]));
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
    // In force also where it cannot be written; then there is no ack, and the operator says it again.
    this.#generation = generation;
    this.#revalidateBelow = generation;
    return this.#disk.index.durably(() => {
      this.#disk.index.setCounter('generation', generation);
      this.#disk.index.setCounter('revalidate-below', generation);
      const done = { objects, durationMs: performance.now() - begin };
      this.#remember(uid, done);
      return done;
    });
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
    this.#disk.index.remember(uid, this.#clock.now(), result, REMEMBERED_COMMANDS);
  }

  close(): void {
    this.#closing = true;
  }
}

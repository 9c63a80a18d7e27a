/**
 * The disk tier: bodies in files, rows in the index, within a limit of bytes. A disk that fails makes the cache smaller,
 * never a request fail: faults are counted and logged here, and read as "not there".
 */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { EdgeMetrics } from '../metrics.ts';
import { type BodyFiles, bodyFiles } from './body-files.ts';
import type { ByteSource } from './byte-source.ts';
import { DiskFaults, type DiskOperation } from './disk-faults.ts';
import { type DiskIndex, type DroppedRow, openDiskIndex } from './disk-index.ts';
import { DiskRoom, type Stored } from './disk-room.ts';
import { DiskRows } from './disk-rows.ts';
import { FolderChanges } from './folder-changes.ts';
import type { CacheKey } from './key.ts';
import { OpenBodies, type OpenBody } from './open-bodies.ts';
import type { FolderChange, FolderShare } from './shared-folder.ts';
import type { StoredObject } from './stored-object.ts';

export interface DiskTierOptions {
  /** The `cache` folder of the edge's state. */
  folder: string;
  diskBytes: number;
  clock: Clock;
  log: Log;
  metrics: EdgeMetrics;
  /** Of a process that shares the folder with its owner; `owner` in that one. */
  share?: FolderShare | 'owner' | undefined;
}

/** How often uses are written to the index; eviction needs no finer picture. */
const TOUCH_EVERY_MS = 5_000;
/** Rows looked at for one round of eviction. */
const EVICT_AT_ONCE = 16;

export class DiskTier {
  /** For what must be one transaction with other things: purges. */
  readonly index: DiskIndex;
  readonly #options: DiskTierOptions;
  readonly #rows: DiskRows;
  readonly #files: BodyFiles;
  readonly #bodies: OpenBodies;
  readonly #background = new Set<Promise<unknown>>();
  readonly #share: FolderShare | undefined;
  readonly #stopNotingUses: () => void;
  readonly #room: DiskRoom;
  readonly #changes: FolderChanges;
  readonly #faults: DiskFaults;

  constructor(options: DiskTierOptions) {
    const { folder, clock, log } = options;
    this.#options = options;
    this.#faults = new DiskFaults(options);
    const { share } = options;
    this.#share = share === 'owner' ? undefined : share;
    this.index = openDiskIndex(folder, log, share === 'owner' ? 'owner' : share ? 'sharer' : 'alone');
    this.#files = bodyFiles(join(folder, 'objects'));
    this.#bodies = new OpenBodies(this.#files.open, (error) => this.failed('read', error));
    this.#room = new DiskRoom(options.diskBytes);
    this.#changes = new FolderChanges(share, this.#room);
    if (this.#share === undefined) for (const row of this.index.totals()) this.#room.add(row.domain, row);
    this.#rows = new DiskRows({
      index: this.index,
      faults: this.#faults,
      clock,
      onChanged: (keys) => {
        for (const key of keys) this.#changes.changed(key);
        this.#changes.tell();
      },
      onLost: (rows) => this.forget(rows),
    });
    this.#stopNotingUses = clock.every(TOUCH_EVERY_MS, () => {
      this.forget(this.#rows.dropCondemned());
      this.#rows.writeUses();
      this.#changes.tell();
    });
    this.#makeRoom();
  }

  /** Of all that an eviction may take, rows that wait to be written included. */
  get totals(): Stored {
    return this.#room.total;
  }

  get byDomain(): ReadonlyMap<string, Stored> {
    return this.#room.byDomain;
  }

  /** Of what a process that is killed now leaves to the next. */
  get recorded(): Stored {
    const { waiting } = this.#rows;
    const { objects, bytes } = this.#room.total;
    return { objects: objects - waiting.objects, bytes: bytes - waiting.bytes };
  }

  /** Bodies of a domain that are larger cannot be stored. */
  largest(domain: string): number {
    return this.#room.largest(domain);
  }

  /** Bytes that each of these domains may take; the others share what there is. */
  limitDomains(quotas: ReadonlyMap<string, number>): void {
    this.#room.limitDomains(quotas);
    this.#makeRoom();
  }

  /** Removes files that a crash left. In the background; `isWriting` names those that are about to get a row. */
  sweep(isWriting: (id: string) => boolean): void {
    // File times are the system's, so this is not the edge's clock.
    const begin = Date.now();
    const isKnown = (id: string) => this.#rows.has(id) || isWriting(id);
    this.later(this.#files.sweep(isKnown, begin));
  }

  /** Removes what a process left that is gone. */
  sweepAfter(mark: string): void {
    const isKnown = (id: string) => !id.endsWith(mark) || this.index.has(id);
    this.later(this.#files.sweep(isKnown, Number.POSITIVE_INFINITY));
  }

  find(key: CacheKey): StoredObject[] {
    return this.#rows.find(key);
  }

  create(id: string): Promise<FileHandle> {
    return this.#files.create(id);
  }

  /** A whole body of one block, before this returns. Throws. */
  write(id: string, bytes: Buffer): void {
    this.#files.write(id, bytes);
  }

  /** Bytes were written to a file whose object is not recorded yet. */
  grew(id: string, bytes: number): void {
    this.#room.grew(id, bytes);
    this.#makeRoom();
  }

  /** Makes an object whose body is in its file known. */
  record(object: StoredObject): void {
    this.#room.grown(object.id);
    this.#rows.record(object);
    this.#room.add(object.key.domain, { objects: 1, bytes: object.size });
    this.#makeRoom();
    if (this.#rows.isFull) this.flush();
  }

  /** Writes the rows that wait, in one transaction. Whoever asks the index for more than one key comes here first. */
  flush(): void {
    this.#rows.flush();
  }

  /** What another process of this edge did to the folder. */
  changedElsewhere({ gone, stored }: Omit<FolderChange, 'keys' | 'filling'>): void {
    for (const id of gone) this.#bodies.forget(id);
    if (this.#share !== undefined) return;
    for (const [domain, change] of stored) this.#room.add(domain, change);
    this.#makeRoom();
  }

  /** Bytes in files that other processes are filling. */
  fillingElsewhere(bytes: number): void {
    this.#room.fillingElsewhere = bytes;
    this.#makeRoom();
  }

  /** Keys with something new, and objects whose files went, since the last call. */
  takeChanged(): Pick<FolderChange, 'keys' | 'gone'> {
    return this.#changes.take();
  }

  /** Writes a new head over the old one; nothing where the object is not on disk. */
  update(object: StoredObject): void {
    this.#rows.update(object);
  }

  /** Notes a use, for eviction. */
  used(id: string): void {
    this.#rows.used(id);
  }

  /** A body of one block, checked. */
  async readSmall(object: StoredObject): Promise<Buffer> {
    const body = await this.#bodies.take(object);
    try {
      return await body.block(0, Buffer.allocUnsafeSlow(object.size));
    } finally {
      body.letGo();
    }
  }

  /** A larger body, checked block by block as it is read; `onDamage` hears what is found then. */
  async openLarge(object: StoredObject, onDamage: (error: unknown) => Error): Promise<ByteSource> {
    const body = await this.#bodies.take(object);
    return body.source(onDamage);
  }

  /** An open file that may be sent as it is from `first` to `last`. */
  whole(object: StoredObject, first: number, last: number): OpenBody | undefined {
    return this.#bodies.whole(object, first, last);
  }

  drop(id: string): void {
    this.forget(this.#rows.drop(id));
  }

  /** Removes the files of rows that are gone. */
  forget(rows: readonly DroppedRow[]): void {
    for (const { id, domain, size } of rows) {
      this.#room.add(domain, { objects: -1, bytes: -size });
      this.discard(id);
    }
  }

  /** Removes a file that no row names. */
  discard(id: string): void {
    this.#room.grown(id);
    this.#bodies.forget(id);
    this.#changes.gone(id);
    this.later(this.#files.remove(id));
  }

  /** Work that nobody waits for but `close`. */
  later(work: Promise<unknown>): void {
    const tracked = work
      .catch((error: unknown) => this.failed('write', error))
      .finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }

  failed(operation: DiskOperation, error: unknown): void {
    this.#faults.failed(operation, error);
  }

  async close(): Promise<void> {
    this.#stopNotingUses();
    await Promise.allSettled(this.#background);
    this.#bodies.close();
    this.flush();
    this.forget(this.#rows.dropCondemned());
    this.#changes.tell();
    this.#rows.writeUses();
    this.index.close();
  }

  #makeRoom(): void {
    if (this.#share !== undefined) return;
    if (this.#room.excess() !== undefined) this.flush();
    for (let excess = this.#room.excess(); excess !== undefined; excess = this.#room.excess()) {
      const over = excess;
      const rows =
        this.#faults.try('write', () =>
          this.index.transaction(() => this.index.dropOldest(over, EVICT_AT_ONCE)),
        ) ?? [];
      if (rows.length === 0) return;
      for (const { domain } of rows) this.#options.metrics.evicted(domain);
      this.forget(rows);
    }
  }
}

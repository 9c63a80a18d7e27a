/**
 * The rows of what is on disk, as the process sees them: those in the index, those that wait to be written there together,
 * and without those that could not be taken out of it.
 *
 *     record ──> waiting ──50 ms, or a hundred──> index        drop ──> out of either, or condemned and tried again
 */
import type { Clock } from '../../lib/clock.ts';
import type { DiskFaults } from './disk-faults.ts';
import type { DiskIndex, DroppedRow } from './disk-index.ts';
import type { Stored } from './disk-room.ts';
import type { CacheKey } from './key.ts';
import type { StoredObject } from './stored-object.ts';

export interface DiskRowsParts {
  index: DiskIndex;
  faults: DiskFaults;
  clock: Clock;
  /** Other heads, or other objects, are below these keys in the index now. */
  onChanged: (keys: readonly string[]) => void;
  /** These rows could not be written: nothing names their files. */
  onLost: (rows: readonly DroppedRow[]) => void;
}

/** Rows wait this long, or for so many, to be written together: alone each costs what ten do. */
const RECORD_AFTER_MS = 50;
const RECORD_AT_ONCE = 100;

export class DiskRows {
  readonly #parts: DiskRowsParts;
  readonly #waiting = new Map<string, { object: StoredObject; at: number }>();
  #recording: NodeJS.Timeout | undefined;
  /** Rows that could not be taken out of the index: not there for whoever asks. */
  readonly #condemned = new Set<string>();
  readonly #used = new Set<string>();

  constructor(parts: DiskRowsParts) {
    this.#parts = parts;
  }

  /** Those that a process that is killed now takes with it. */
  get waiting(): Stored {
    const bytes = [...this.#waiting.values()].reduce((sum, { object }) => sum + object.size, 0);
    return { objects: this.#waiting.size, bytes };
  }

  find(key: CacheKey): StoredObject[] {
    const { index, faults } = this.#parts;
    const found = faults.try('read', () => index.find(key)) ?? [];
    const rows = found.filter(({ id }) => !this.#condemned.has(id));
    for (const { object } of this.#waiting.values()) if (object.key.id === key.id) rows.push(object);
    return rows;
  }

  has(id: string): boolean {
    return this.#waiting.has(id) || this.#parts.index.has(id);
  }

  record(object: StoredObject): void {
    this.#waiting.set(object.id, { object, at: this.#parts.clock.now() });
    this.#recording ??= setTimeout(() => this.flush(), RECORD_AFTER_MS);
  }

  /** As many wait as are worth a transaction. */
  get isFull(): boolean {
    return this.#waiting.size >= RECORD_AT_ONCE;
  }

  /** Writes those that wait, in one transaction. Whoever asks the index for more than one key comes here first. */
  flush(): void {
    clearTimeout(this.#recording);
    this.#recording = undefined;
    const { index, faults, onChanged, onLost } = this.#parts;
    const rows = [...this.#waiting.values()];
    if (rows.length === 0) return;
    this.#waiting.clear();
    const done = faults.try('write', () =>
      index.transaction(() => {
        for (const { object, at } of rows) index.put(object, at);
        return true;
      }),
    );
    if (done === undefined) onLost(rows.map(({ object }) => rowOf(object)));
    onChanged(rows.map(({ object }) => object.key.id));
  }

  /** Another head for an object; nothing where it is not on disk. */
  update(object: StoredObject): void {
    const { index, faults, clock, onChanged } = this.#parts;
    const waiting = this.#waiting.get(object.id);
    if (waiting !== undefined) {
      waiting.object = object;
      return;
    }
    faults.try('write', () => {
      if (index.has(object.id)) index.put(object, clock.now());
    });
    // Other processes have the old head.
    onChanged([object.key.id]);
  }

  /** The rows that are gone with it; their files may go. */
  drop(id: string): readonly DroppedRow[] {
    const { index, faults } = this.#parts;
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      this.#waiting.delete(id);
      return [rowOf(waiting.object)];
    }
    const rows = faults.try('write', () => index.drop(id));
    if (rows === undefined) this.#condemned.add(id);
    return rows ?? [];
  }

  /** Tries again what could not be taken out; the rows that are gone. */
  dropCondemned(): readonly DroppedRow[] {
    if (this.#condemned.size === 0) return [];
    const { index, faults } = this.#parts;
    const ids = [...this.#condemned];
    const rows = faults.try('write', () => index.transaction(() => ids.flatMap((id) => index.drop(id))));
    if (rows === undefined) return [];
    for (const id of ids) this.#condemned.delete(id);
    return rows;
  }

  /** Notes a use, for eviction. */
  used(id: string): void {
    this.#used.add(id);
  }

  writeUses(): void {
    if (this.#used.size === 0) return;
    // A use of a row that is not written would be lost.
    this.flush();
    const { index, faults, clock } = this.#parts;
    faults.try('write', () => index.touch(this.#used, clock.now()));
    this.#used.clear();
  }
}

function rowOf({ id, key, size }: StoredObject): DroppedRow {
  return { id, domain: key.domain, size };
}

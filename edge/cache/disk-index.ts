/**
 * The index of the disk tier: a SQLite database that says which objects there are, and remembers the purge generation
 * and the commands that were applied. One database, so that a purge and its remembrance are one transaction: what a
 * crash takes, it takes together.
 *
 * Ordinary writes are not fsynced (a lost row is a miss, no more); `durably` is for what must be on disk before it is
 * said. The database is opened for this process alone: a second edge on the folder is refused.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../lib/log.ts';
import { type IndexUse, openDatabase } from './disk-database.ts';
import { purgeStatements } from './disk-purge.ts';
import type { Excess, Stored } from './disk-room.ts';
import { type CacheKey, keyOf } from './key.ts';
import type { StoredObject } from './stored-object.ts';

/** In the column `slice`: not one. */
const WHOLE = -1;

/** Rows that `dropped` gives back: what is needed to unlink and to count. */
export interface DroppedRow {
  id: string;
  domain: string;
  size: number;
}

export type DiskIndex = ReturnType<typeof openDiskIndex>;

export function openDiskIndex(folder: string, log: Log, use: IndexUse = 'alone') {
  mkdirSync(folder, { recursive: true });
  const db = openDatabase(join(folder, 'index.db'), use, log);
  const statements = {
    find: db.prepare(
      'SELECT * FROM objects WHERE domain = ? AND path = ? AND query = ? AND slice = ? AND mode = ?',
    ),
    ofPath: db.prepare('SELECT * FROM objects WHERE domain = ? AND path = ?'),
    // Not OR REPLACE: SQLite would first copy each page that it touches, to go back on it: twelve writes for a row.
    add: db.prepare('INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    change: db.prepare(
      'UPDATE objects SET generation = ?, size = ?, used = ?, head = ?, checksums = ?, stale_at = ? WHERE id = ?',
    ),
    untag: db.prepare('DELETE FROM tags WHERE id = ?'),
    tag: db.prepare('INSERT OR IGNORE INTO tags VALUES (?, ?, ?)'),
    touch: db.prepare('UPDATE objects SET used = ? WHERE id = ?'),
    drop: db.prepare('DELETE FROM objects WHERE id = ? RETURNING id, domain, size'),
    oldest: db.prepare('SELECT id, domain, size FROM objects ORDER BY used LIMIT ?'),
    oldestOf: db.prepare('SELECT id, domain, size FROM objects WHERE domain = ? ORDER BY used LIMIT ?'),
    // `+`: read from front to back. By the index of domains each row is looked up at random, four times the work of a start.
    totals: db.prepare(
      'SELECT domain, count(*) AS objects, sum(size) AS bytes FROM objects GROUP BY +domain',
    ),
    domains: db.prepare('SELECT DISTINCT domain FROM objects'),
    has: db.prepare('SELECT 1 FROM objects WHERE id = ?'),
    counter: db.prepare('SELECT value FROM counters WHERE name = ?'),
    setCounter: db.prepare('INSERT OR REPLACE INTO counters VALUES (?, ?)'),
    applied: db.prepare('SELECT objects, duration_ms AS durationMs FROM applied WHERE uid = ?'),
    remember: db.prepare('INSERT OR REPLACE INTO applied VALUES (?, ?, ?, ?)'),
    forget: db.prepare(
      'DELETE FROM applied WHERE uid IN (SELECT uid FROM applied ORDER BY at DESC LIMIT -1 OFFSET ?)',
    ),
  };

  function transaction<T>(run: () => T): T {
    // At once: one that begins by reading could not wait for another process's writes.
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = run();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      // COMMIT on a full disk may have rolled back by itself.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  const ofPath = (domain: string, path: string) =>
    statements.ofPath.all(domain, path).map((row) => objectOf(row));

  return {
    ...purgeStatements(db, ofPath),
    transaction,
    /** A transaction that is on the disk when this returns. */
    durably<T>(run: () => T): T {
      db.exec('PRAGMA synchronous = FULL');
      try {
        return transaction(run);
      } finally {
        db.exec('PRAGMA synchronous = NORMAL');
      }
    },
    find: ({ domain, path, query, mode, slice = WHOLE }: CacheKey) =>
      statements.find.all(domain, path, query, slice, mode).map((row) => objectOf(row)),
    put(object: StoredObject, now: number): void {
      const { id, key, generation, size, checksums, staleAt = null, ...head } = object;
      const { domain, path, query, mode, slice = WHOLE } = key;
      const sums = new Uint8Array(Uint32Array.from(checksums).buffer);
      const values = [generation, size, now, JSON.stringify(head), sums, staleAt] as const;
      const { changes } = statements.add.run(id, domain, path, query, mode, ...values, slice);
      if (changes === 0) {
        statements.change.run(...values, id);
        statements.untag.run(id);
      }
      for (const tag of object.tags) statements.tag.run(domain, tag, id);
    },
    touch: (ids: Iterable<string>, now: number) =>
      transaction(() => {
        for (const id of ids) statements.touch.run(now, id);
      }),
    drop: (id: string) => statements.drop.all(id).map(droppedRow),
    /** The least recently used, of one domain or of all, until so many bytes are gone; `count` at most. */
    dropOldest({ domain, bytes }: Excess, count: number): DroppedRow[] {
      const oldest =
        domain === undefined ? statements.oldest.all(count) : statements.oldestOf.all(domain, count);
      const dropped: DroppedRow[] = [];
      let excess = bytes;
      for (const { id, size } of oldest.map(droppedRow)) {
        if (excess <= 0) break;
        dropped.push(...statements.drop.all(id).map(droppedRow));
        excess -= size;
      }
      return dropped;
    },
    totals: (): ({ domain: string } & Stored)[] =>
      statements.totals.all().map((row) => ({
        domain: String(row.domain),
        objects: Number(row.objects),
        bytes: Number(row.bytes),
      })),
    domains: () => statements.domains.all().map((row) => String(row.domain)),
    has: (id: string) => statements.has.get(id) !== undefined,
    counter: (name: string) => Number(statements.counter.get(name)?.value ?? 0),
    setCounter: (name: string, value: number) => void statements.setCounter.run(name, value),
    applied(uid: string): { objects: number; durationMs: number } | undefined {
      const row = statements.applied.get(uid);
      return row && { objects: Number(row.objects), durationMs: Number(row.durationMs) };
    },
    remember(uid: string, at: number, result: { objects: number; durationMs: number }, keep: number): void {
      statements.remember.run(uid, at, result.objects, result.durationMs);
      statements.forget.run(keep);
    },
    close: () => db.close(),
  };
}

type Row = Record<string, unknown>;

function droppedRow(row: Row): DroppedRow {
  return { id: String(row.id), domain: String(row.domain), size: Number(row.size) };
}

function objectOf(row: Row): StoredObject {
  const { domain, path, query, mode } = row as Record<string, string>;
  const bytes = row.checksums as Uint8Array;
  return {
    // Written by `put` above, by this schema version.
    ...(JSON.parse(String(row.head)) as Omit<
      StoredObject,
      'id' | 'key' | 'generation' | 'size' | 'checksums' | 'staleAt'
    >),
    id: String(row.id),
    key: keyOf({
      domain: String(domain),
      path: String(path),
      query: String(query),
      mode: String(mode),
      ...(row.slice !== WHOLE && { slice: Number(row.slice) }),
    }),
    generation: Number(row.generation),
    staleAt: row.stale_at === null ? undefined : Number(row.stale_at),
    size: Number(row.size),
    checksums: [...new Uint32Array(bytes.slice().buffer)],
  };
}

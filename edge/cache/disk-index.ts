/**
 * The index of the disk tier: a SQLite database that says which objects there are, and remembers the purge generation
 * and the commands that were applied. One database, so that a purge and its remembrance are one transaction: what a
 * crash takes, it takes together.
 *
 * Ordinary writes are not fsynced (a lost row is a miss, no more); `durably` is for what must be on disk before it is
 * said. The database is opened for this process alone: a second edge on the folder is refused.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';
import { PURGE_SCHEMA, purgeStatements } from './disk-purge.ts';
import type { CacheKey } from './key.ts';
import type { StoredObject } from './stored-object.ts';

/** For the writes of the other processes of this edge, each of some milliseconds. */
const BUSY_MS = 5_000;

const SCHEMA_VERSION = 2;
const SCHEMA = `
  CREATE TABLE objects (
    id TEXT PRIMARY KEY, domain TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, mode TEXT NOT NULL,
    generation INTEGER NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL,
    head TEXT NOT NULL, checksums BLOB NOT NULL, stale_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX by_key ON objects (domain, path, query);
  CREATE INDEX by_use ON objects (used);
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE applied (
    uid TEXT PRIMARY KEY, at INTEGER NOT NULL, objects INTEGER NOT NULL, duration_ms REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX by_age ON applied (at);
  ${PURGE_SCHEMA}
  PRAGMA user_version = ${SCHEMA_VERSION};`;

/** Rows that `dropped` gives back: what is needed to unlink and to count. */
export interface DroppedRow {
  id: string;
  size: number;
}

export type DiskIndex = ReturnType<typeof openDiskIndex>;

/** `alone`: for this process; `owner`: with processes that open it as `sharer` afterwards. */
export type IndexUse = 'alone' | 'owner' | 'sharer';

export function openDiskIndex(folder: string, log: Log, use: IndexUse = 'alone') {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'index.db');
  const db = use === 'sharer' ? openShared(file) : openOrPutAside(file, use, log);
  const statements = {
    find: db.prepare('SELECT * FROM objects WHERE domain = ? AND path = ? AND query = ? AND mode = ?'),
    ofPath: db.prepare('SELECT * FROM objects WHERE domain = ? AND path = ?'),
    put: db.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    tag: db.prepare('INSERT OR IGNORE INTO tags VALUES (?, ?, ?)'),
    touch: db.prepare('UPDATE objects SET used = ? WHERE id = ?'),
    drop: db.prepare('DELETE FROM objects WHERE id = ? RETURNING id, size'),
    oldest: db.prepare('SELECT id, size FROM objects ORDER BY used LIMIT ?'),
    totals: db.prepare('SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects'),
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
    find: ({ domain, path, query, mode }: CacheKey) =>
      statements.find.all(domain, path, query, mode).map((row) => objectOf(row)),
    put(object: StoredObject, now: number): void {
      const { id, key, generation, size, checksums, staleAt = null, ...head } = object;
      const { domain, path, query, mode } = key;
      const sums = new Uint8Array(Uint32Array.from(checksums).buffer);
      const text = JSON.stringify(head);
      statements.put.run(id, domain, path, query, mode, generation, size, now, text, sums, staleAt);
      for (const tag of object.tags) statements.tag.run(domain, tag, id);
    },
    touch: (ids: Iterable<string>, now: number) =>
      transaction(() => {
        for (const id of ids) statements.touch.run(now, id);
      }),
    drop: (id: string) => statements.drop.all(id).map(droppedRow),
    oldest: (count: number) => statements.oldest.all(count).map(droppedRow),
    totals(): { objects: number; bytes: number } {
      const row = statements.totals.get();
      return { objects: Number(row?.objects), bytes: Number(row?.bytes) };
    },
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
  return { id: String(row.id), size: Number(row.size) };
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
    key: {
      domain: String(domain),
      path: String(path),
      query: String(query),
      mode: String(mode),
      id: `${domain} ${mode} ${path}${query}`,
    },
    generation: Number(row.generation),
    staleAt: row.stale_at === null ? undefined : Number(row.stale_at),
    size: Number(row.size),
    checksums: [...new Uint32Array(bytes.slice().buffer)],
  };
}

/** A database that is corrupt is put aside and begun anew: an empty cache is slow, a dead edge is down. */
function openOrPutAside(file: string, use: IndexUse, log: Log): DatabaseSync {
  try {
    return open(file, use);
  } catch (error) {
    const locked = error instanceof Error && /database is locked/.test(error.message);
    if (locked) {
      throw new Error(`${file} is in use by another edge: give each edge a --state folder of its own`, {
        cause: error,
      });
    }
    const aside = `${file}.corrupt-${Date.now()}`;
    log.error(
      { err: error, file, aside },
      'the cache index cannot be read; it is put aside, the cache starts empty',
    );
    renameSync(file, aside);
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    return open(file, use);
  }
}

/** Another process has checked it. */
function openShared(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  prepare(db);
  return db;
}

function prepare(db: DatabaseSync): void {
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  // KiB. Ids are random: with SQLite's 2 MB each write of a large index would read pages from the disk first.
  db.exec('PRAGMA cache_size = -32768');
  // Tags go with their object.
  db.exec('PRAGMA foreign_keys = ON');
}

function open(file: string, use: IndexUse): DatabaseSync {
  const db = new DatabaseSync(file);
  try {
    // Before the first access in WAL mode: then no shared memory is used, and the lock holds until the process ends.
    if (use === 'alone') db.exec('PRAGMA locking_mode = EXCLUSIVE');
    prepare(db);
    db.exec('BEGIN EXCLUSIVE; COMMIT');
    if (use === 'owner') db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    if (version === 0) db.exec(SCHEMA);
    else if (version !== SCHEMA_VERSION)
      throw new Error(`schema version ${version} is not ${SCHEMA_VERSION}`);
    const [check] = db.prepare('PRAGMA quick_check(1)').all();
    if (check?.quick_check !== 'ok') throw new Error(`quick_check: ${String(check?.quick_check)}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

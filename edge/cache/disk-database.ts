/**
 * Opens the index's database, and brings it to the layout of this version: a cache is kept over an update where that is
 * possible, and begun anew, with a word on it, where it is not. Thin; what lies in it is disk-index.ts's.
 */
import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../lib/log.ts';
import { PURGE_SCHEMA } from './disk-purge.ts';

/** For the writes of the other processes of this edge, each of some milliseconds. */
const BUSY_MS = 5_000;

const LAYOUT = 3;
const SCHEMA = `
  CREATE TABLE objects (
    id TEXT PRIMARY KEY, domain TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL, mode TEXT NOT NULL,
    generation INTEGER NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL,
    head TEXT NOT NULL, checksums BLOB NOT NULL, stale_at INTEGER, slice INTEGER NOT NULL DEFAULT -1
  ) WITHOUT ROWID;
  CREATE INDEX by_key ON objects (domain, path, query, slice);
  CREATE INDEX by_use ON objects (used);
  CREATE INDEX by_use_of_domain ON objects (domain, used);
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE applied (
    uid TEXT PRIMARY KEY, at INTEGER NOT NULL, objects INTEGER NOT NULL, duration_ms REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX by_age ON applied (at);
  ${PURGE_SCHEMA}`;

/** By the layout that they begin with, to the next one. */
const MIGRATIONS: Readonly<Record<number, string>> = {
  2: `
    ALTER TABLE objects ADD COLUMN slice INTEGER NOT NULL DEFAULT -1;
    DROP INDEX by_key;
    CREATE INDEX by_key ON objects (domain, path, query, slice);
    CREATE INDEX by_use_of_domain ON objects (domain, used);`,
};

/** `alone`: for this process; `owner`: with processes that open it as `sharer` afterwards. */
export type IndexUse = 'alone' | 'owner' | 'sharer';

export function openDatabase(file: string, use: IndexUse, log: Log): DatabaseSync {
  return use === 'sharer' ? openShared(file) : openOrPutAside(file, use, log);
}

class OtherLayout extends Error {}

/** A database that is of no use is put aside and begun anew: an empty cache is slow, a dead edge is down. */
function openOrPutAside(file: string, use: IndexUse, log: Log): DatabaseSync {
  try {
    return open(file, use, log);
  } catch (error) {
    const locked = error instanceof Error && /database is locked/.test(error.message);
    if (locked) {
      throw new Error(`${file} is in use by another edge: give each edge a --state folder of its own`, {
        cause: error,
      });
    }
    if (error instanceof OtherLayout) {
      // Its bodies go as files that no row names.
      log.warn({ file }, `${error.message}: the cache starts empty`);
      rmSync(file);
    } else {
      const aside = `${file}.corrupt-${Date.now()}`;
      log.error(
        { err: error, file, aside },
        'the cache index cannot be read; it is put aside, the cache starts empty',
      );
      renameSync(file, aside);
    }
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    return open(file, use, log);
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
  // What a statement may have to go back on is kept in memory: else it goes to a file in /var/tmp, page by page.
  db.exec('PRAGMA temp_store = MEMORY');
  // Tags go with their object.
  db.exec('PRAGMA foreign_keys = ON');
}

function open(file: string, use: IndexUse, log: Log): DatabaseSync {
  const db = new DatabaseSync(file);
  try {
    // Before the first access in WAL mode: then no shared memory is used, and the lock holds until the process ends.
    if (use === 'alone') db.exec('PRAGMA locking_mode = EXCLUSIVE');
    else db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    prepare(db);
    db.exec('BEGIN EXCLUSIVE; COMMIT');
    const [check] = db.prepare('PRAGMA quick_check(1)').all();
    if (check?.quick_check !== 'ok') throw new Error(`quick_check: ${String(check?.quick_check)}`);
    bringUp(db, log);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** To this version's layout, in one transaction: a crash leaves the old one. */
function bringUp(db: DatabaseSync, log: Log): void {
  const found = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (found === LAYOUT) return;
  const steps = found === 0 ? [SCHEMA] : migrationsFrom(found);
  db.exec(`BEGIN IMMEDIATE; ${steps.join('')} PRAGMA user_version = ${LAYOUT}; COMMIT`);
  if (found !== 0) log.info({ from: found, to: LAYOUT }, 'the cache index was brought to the new layout');
}

function migrationsFrom(found: number): string[] {
  const steps: string[] = [];
  for (let layout = found; layout !== LAYOUT; layout++) {
    const step = MIGRATIONS[layout];
    if (step === undefined) {
      throw new OtherLayout(`the cache index is of layout ${found}, and this edge reads 2 to ${LAYOUT}`);
    }
    steps.push(step);
  }
  return steps;
}

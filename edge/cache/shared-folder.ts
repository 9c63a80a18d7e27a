/**
 * What the processes of one edge tell each other about the folder they share. Each writes bodies and rows itself; the
 * owner makes room, purges, and holds the folder against other edges.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Stored } from './disk-room.ts';

/** What a process has done to the folder since it last told. */
export interface FolderChange {
  /** Ids of keys below which something else is stored now. */
  keys: string[];
  /** Ids of objects whose files are gone. */
  gone: string[];
  /** By domain, more or fewer rows, and bytes below them. */
  stored: [domain: string, Stored][];
  /** Bytes in files without a row yet, all in all. */
  filling: number;
}

/** How a process that is not the owner stands to the folder. */
export interface FolderShare {
  /** Ends the ids of the objects that it makes, so that what it left can be found. */
  mark: string;
  tell(change: FolderChange): void;
}

/** Workers whose main process was killed end at once, but for a machine that has no time for them. */
export const OLD_WORKERS_END_MS = 15_000;

/**
 * Holds a folder for this process until it ends, however it ends. Waits for the workers of one that was killed: they may
 * be in the middle of a write, and the last of them puts the log of the index in order as it ends.
 */
export function holdFolder(folder: string): () => void {
  const owner = lockWhole(
    join(folder, 'owner.db'),
    0,
    `${folder} is in use by another edge: give each edge a --state folder of its own`,
  );
  try {
    lockWhole(
      join(folder, 'workers.db'),
      OLD_WORKERS_END_MS,
      `${folder} is in use by workers of an edge that has ended, after ${OLD_WORKERS_END_MS / 1000} s still`,
    ).close();
  } catch (error) {
    owner.close();
    throw error;
  }
  return () => owner.close();
}

function lockWhole(file: string, withinMs: number, otherwise: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: withinMs });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    return db;
  } catch (error) {
    db.close();
    throw new Error(otherwise, { cause: error });
  }
}

/** For a worker: who holds the folder next waits until this process has ended. Others may join too. */
export function joinFolder(folder: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, 'workers.db'), { timeout: OLD_WORKERS_END_MS });
  // A transaction that reads is a lock that many can have, and that goes with the process.
  db.exec('BEGIN; SELECT count(*) FROM sqlite_schema');
  return db;
}

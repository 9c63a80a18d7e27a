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

/** Holds a folder for this process until it ends, however it ends. */
export function holdFolder(folder: string): () => void {
  const db = new DatabaseSync(join(folder, 'owner.db'));
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
  } catch (error) {
    db.close();
    throw new Error(`${folder} is in use by another edge: give each edge a --state folder of its own`, {
      cause: error,
    });
  }
  return () => db.close();
}

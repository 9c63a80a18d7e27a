/**
 * Watches a changing set of folders, each on its own. Node's recursive watch is a walk in JavaScript on Linux, and
 * throws where nobody can catch it: a link that leads to itself, or one folder too many for inotify, would end the
 * operator.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { Log } from '../../../lib/log.ts';

export interface FolderWatch {
  /** From now on these folders and no others. One that can't be watched is left to the poll. */
  follow(folders: ReadonlySet<string>): void;
  close(): void;
}

export function watchFolders(onChange: () => void, log: Log): FolderWatch {
  const watchers = new Map<string, FSWatcher>();

  const forget = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };

  const add = (folder: string) => {
    const fail = (error: unknown) => {
      log.warn({ folder, err: error }, 'no directory watch; the poll goes on');
      forget(folder);
    };
    try {
      const watcher = watch(folder, { persistent: false }, onChange);
      watchers.set(folder, watcher.on('error', fail));
    } catch (error) {
      fail(error);
    }
  };

  return {
    follow(folders) {
      for (const folder of watchers.keys()) if (!folders.has(folder)) forget(folder);
      for (const folder of folders) if (!watchers.has(folder)) add(folder);
    },
    close: () => [...watchers.keys()].forEach(forget),
  };
}

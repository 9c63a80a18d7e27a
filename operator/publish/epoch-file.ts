/** The epoch on disk: written down before anything is published under it. */
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';

export interface EpochStore {
  read(): Promise<number>;
  write(epoch: number): Promise<void>;
}

export function epochFile(path: string): EpochStore {
  return {
    async read() {
      const stored = Number.parseInt((await readFileIfThere(path)) ?? '0', 10);
      return Number.isSafeInteger(stored) && stored >= 0 ? stored : 0;
    },
    write: (epoch) => writeFileAtomic(path, `${epoch}\n`),
  };
}

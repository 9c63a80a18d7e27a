/** Usage batches on disk: a file each, written aside and fsynced, until the operator took it. Bounded: the oldest go. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type UsageBatch, usageBatch } from '../../contract/stream/usage.ts';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Log } from '../../lib/log.ts';

/** A week of minutes. */
export const MAX_BATCHES = 7 * 24 * 60;

export interface BatchFiles {
  /** Ids, oldest first. */
  ids(): readonly string[];
  read(id: string): Promise<UsageBatch | undefined>;
  add(batch: UsageBatch): Promise<void>;
  remove(ids: readonly string[]): Promise<number>;
}

const SUFFIX = '.json';

export async function openBatchFiles(
  folder: string,
  { log, onDropped, max = MAX_BATCHES }: { log: Log; onDropped: (batches: number) => void; max?: number },
): Promise<BatchFiles> {
  await mkdir(folder, { recursive: true });
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  // By minute, which comes first in an id.
  const ids = names
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const fileOf = (id: string) => join(folder, `${id}${SUFFIX}`);

  async function remove(gone: readonly string[]): Promise<number> {
    const known = ids.filter((id) => gone.includes(id));
    for (const id of known) {
      await rm(fileOf(id), { force: true });
      ids.splice(ids.indexOf(id), 1);
    }
    return known.length;
  }

  return {
    ids: () => ids,
    async read(id) {
      const text = await readFileIfThere(fileOf(id));
      try {
        return usageBatch.parse(JSON.parse(text ?? ''));
      } catch (error) {
        log.error({ err: error, id }, 'usage that cannot be read is thrown away');
        await remove([id]);
        onDropped(1);
        return undefined;
      }
    },
    async add(batch) {
      await writeFileAtomic(fileOf(batch.id), JSON.stringify(batch));
      ids.push(batch.id);
      const over = ids.slice(0, Math.max(0, ids.length - max));
      if (over.length > 0) onDropped(await remove(over));
    },
    remove,
  };
}

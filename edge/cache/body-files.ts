/** The bodies on disk, one file each, named by id below 256 folders. Thin: no decisions here. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptBody, type StoredObject } from './stored-object.ts';

export type BodyFiles = ReturnType<typeof bodyFiles>;

export function bodyFiles(folder: string) {
  const pathOf = (id: string) => join(folder, id.slice(0, 2), id);
  for (let byte = 0; byte < 256; byte++) {
    mkdirSync(join(folder, byte.toString(16).padStart(2, '0')), { recursive: true });
  }
  return {
    /** For a body that is being fetched: written and read at once. */
    create: (id: string): Promise<FileHandle> => open(pathOf(id), 'wx+'),
    /** One that is whole already and small. Throws. */
    write: (id: string, bytes: Buffer): void => writeFileSync(pathOf(id), bytes, { flag: 'wx' }),
    remove: (id: string): Promise<void> => rm(pathOf(id), { force: true }),
    /** To be read. Throws CorruptBody where it is not there, or not as long as it should be. */
    open: (object: StoredObject): Promise<FileHandle> => openWhole(pathOf(object.id), object.size),
    /** Removes files that no row of the index names, and that are older than `before`: a crash left them. */
    async sweep(isKnown: (id: string) => boolean, before: number): Promise<number> {
      let removed = 0;
      for (const name of await readdir(folder)) {
        for (const id of await readdir(join(folder, name))) {
          if (isKnown(id)) continue;
          const { mtimeMs } = await stat(pathOf(id)).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
          if (mtimeMs >= before) continue;
          await rm(pathOf(id), { force: true });
          removed++;
        }
      }
      return removed;
    },
  };
}

async function openWhole(path: string, expected: number): Promise<FileHandle> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new CorruptBody(`${path} cannot be opened`, { cause: error });
  });
  const { size } = await handle.stat();
  if (size === expected) return handle;
  await handle.close();
  throw new CorruptBody(`${path} has ${size} bytes instead of ${expected}`);
}

/** The bodies on disk, one file each, named by id below 256 folders. Thin: no decisions here. */
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from './stored-object.ts';

export type BodyFiles = ReturnType<typeof bodyFiles>;

export function bodyFiles(folder: string) {
  const pathOf = (id: string) => join(folder, id.slice(0, 2), id);
  for (let byte = 0; byte < 256; byte++) {
    mkdirSync(join(folder, byte.toString(16).padStart(2, '0')), { recursive: true });
  }
  return {
    /** For a body that is being fetched: written and read at once. */
    create: (id: string): Promise<FileHandle> => open(pathOf(id), 'wx+'),
    remove: (id: string): Promise<void> => rm(pathOf(id), { force: true }),
    /** A whole small body, checked. */
    async readBlock(object: StoredObject): Promise<Buffer> {
      await using body = await openBody(pathOf(object.id), object);
      return await body.block(0, Buffer.allocUnsafeSlow(object.size));
    },
    open: (object: StoredObject): Promise<StoredBody> => openBody(pathOf(object.id), object),
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

/** An open body. Every block that leaves it has been compared with its checksum. */
export interface StoredBody extends AsyncDisposable {
  /** Block `index` into `buffer`; the result is the filled part of it. Throws CorruptBody. */
  block(index: number, buffer: Buffer): Promise<Buffer>;
}

async function openBody(path: string, object: StoredObject): Promise<StoredBody> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new CorruptBody(`${path} cannot be opened`, { cause: error });
  });
  const { size } = await handle.stat();
  if (size !== object.size) {
    await handle.close();
    throw new CorruptBody(`${path} has ${size} bytes instead of ${object.size}`);
  }
  return {
    async block(index, buffer) {
      const start = index * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES, object.size - start);
      const { bytesRead } = await handle.read(buffer, 0, length, start);
      const block = buffer.subarray(0, bytesRead);
      if (bytesRead !== length || crc32(block) !== (object.checksums[index] ?? 0)) {
        throw new CorruptBody(`${path} is damaged in block ${index}`);
      }
      return block;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

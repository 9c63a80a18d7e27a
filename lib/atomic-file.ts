import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a file so that a crash at any moment leaves either the old bytes or the new ones: write aside, fsync,
 * rename, fsync the folder. Resolves when the new bytes are durable. The folder is made if it is missing.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await rename(await writeAside(path, data, mode), path);
  await syncFolder(dirname(path));
}

/** Makes a file that is not there yet, durably and whole; false where somebody else was the first. */
export async function createFileAtomic(path: string, data: string, mode = 0o644): Promise<boolean> {
  const aside = await writeAside(path, data, mode);
  try {
    // Unlike rename(2), it never replaces.
    await link(aside, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
    await syncFolder(dirname(path));
  }
}

async function writeAside(path: string, data: string | Uint8Array, mode: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  // The process id keeps two programs apart; the counter keeps two writers in one program apart.
  const aside = `${path}.${process.pid}.${counter++}.tmp`;
  const file = await open(aside, 'w', mode);
  try {
    await file.writeFile(data);
    await file.sync();
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return aside;
}

let counter = 0;

/** Removes a file durably; one that is not there is no error. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path)).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/** The file's text, or nothing when there is no such file; any other failure is thrown. */
export async function readFileIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export const isMissing = (error: unknown): boolean => isCode(error, 'ENOENT');

const isCode = (error: unknown, code: string) =>
  error instanceof Error && 'code' in error && error.code === code;

/** rename(2) is durable only once the folder that holds the name is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

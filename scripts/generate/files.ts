/**
 * Generated files on disk: what is stale, and how it is made fresh. Every file of the folders is one of ours; files may
 * lie elsewhere too, among others.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, readFileIfThere } from '../../lib/atomic-file.ts';

/** Texts by path, relative to the root. */
export type Files = ReadonlyMap<string, string>;

/** One line for each file that is not as it should be. */
export async function staleFiles(root: string, folders: string[], files: Files): Promise<string[]> {
  const there = await readFolders(root, folders);
  const superfluous = [...there.keys()].filter((path) => !files.has(path));
  const problems = superfluous.map((path) => `${path}: superfluous`);
  for (const [path, text] of files) {
    const found = there.get(path) ?? (await readFileIfThere(join(root, path)));
    if (found === undefined) problems.push(`${path}: missing`);
    else if (found !== text) problems.push(`${path}: differs from what the schemas say`);
  }
  return problems.sort();
}

export async function writeFiles(root: string, folders: string[], files: Files): Promise<void> {
  for (const path of (await readFolders(root, folders)).keys()) {
    if (!files.has(path)) await rm(join(root, path));
  }
  for (const [path, text] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function readFolders(root: string, folders: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const name of await namesIn(join(root, folder))) {
      found.set(`${folder}/${name}`, await readFile(join(root, folder, name), 'utf8'));
    }
  }
  return found;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

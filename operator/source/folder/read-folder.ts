/** Reads a folder of manifests: every .yaml, .yml and .json file at any depth, in order of path; certificates, too. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { isMissing } from '../../../lib/atomic-file.ts';

export interface ManifestFile {
  /** Relative to the root, with `/`. */
  path: string;
  text: string;
}

const MANIFEST = /\.(ya?ml|json)$/;
/** A certificate and its key. */
const PEM = /\.(crt|key)$/;

export const isManifest = ({ path }: ManifestFile): boolean => MANIFEST.test(path);

/**
 * Throws when the root or anything below it cannot be read: half a folder must not look like a deletion. Names that
 * begin with a dot are left out: editors' swap files, and the `..data` folders behind a mounted ConfigMap, whose files
 * are reached through their visible links.
 */
export async function readFolder(root: string): Promise<ManifestFile[]> {
  const files = await listManifests(root);
  const read = await Promise.all(
    files.map(async (path) => ({
      path: relative(root, path).split(sep).join('/'),
      text: await readStable(path),
    })),
  );
  return read
    .filter((file): file is ManifestFile => file.text !== undefined)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function listManifests(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(
    entries.filter(({ name }) => !name.startsWith('.')).map((entry) => expand(folder, entry)),
  );
  return found.flat();
}

async function expand(folder: string, entry: Dirent): Promise<string[]> {
  const path = join(folder, entry.name);
  const target = entry.isSymbolicLink() ? await statIfThere(path) : entry;
  if (target?.isDirectory()) return listManifests(path);
  return target?.isFile() && (MANIFEST.test(entry.name) || PEM.test(entry.name)) ? [path] : [];
}

/** Nothing for a file that went away between listing and reading: the next round sees the folder without it. */
async function readStable(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function statIfThere(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

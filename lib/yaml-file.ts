/** YAML files that Weir keeps for itself: durable when written, put aside with a loud line when they do not read. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { isMissing, readFileIfThere, writeFileAtomic } from './atomic-file.ts';
import type { Log } from './log.ts';

export async function writeYaml(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, stringify(value, { lineWidth: 110, aliasDuplicateObjects: false }));
}

/** The file's value after `check`, or nothing when it is missing or does not hold. */
export async function readYaml<T>(
  path: string,
  check: (value: unknown) => T,
  log: Log,
): Promise<T | undefined> {
  try {
    const text = await readFileIfThere(path);
    return text === undefined ? undefined : check(parse(text));
  } catch (error) {
    log.error({ path, err: error }, 'a file of the state folder is not usable; going on without it');
    return undefined;
  }
}

/** Every .yaml file below a folder, sorted; none when the folder is missing. */
export async function listYaml(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true });
    return entries
      .filter((path) => path.endsWith('.yaml'))
      .sort()
      .map((path) => join(folder, path));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

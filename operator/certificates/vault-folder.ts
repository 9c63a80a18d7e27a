/** The vault as files of mode 0600 in the state folder, which one operator alone writes. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { StateFolder } from '../../contract/state-folder.ts';
import { isMissing, readFileIfThere, removeFile, writeFileAtomic } from '../../lib/atomic-file.ts';
import { entryId, type Vault, type VaultValues } from './vault.ts';

const entry = z.strictObject({ name: z.string(), value: z.string() });

export function vaultFolder({ vault: folder }: StateFolder): Vault {
  const values = new Map<string, string>();
  const listeners = new Set<(values: VaultValues) => void>();
  let loading: Promise<void> | undefined;
  const load = async () => {
    for (const file of await filesIn(folder)) {
      const { name, value } = entry.parse(JSON.parse((await readFileIfThere(join(folder, file))) ?? ''));
      if (!values.has(name)) values.set(name, value);
    }
  };
  const loaded = () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  return {
    async read() {
      await loaded();
      return new Map(values);
    },
    async write(name, value) {
      if (value === undefined) values.delete(name);
      else values.set(name, value);
      for (const listener of listeners) listener(values);
      const path = join(folder, `${entryId(name)}.json`);
      if (value === undefined) return removeFile(path);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(path, JSON.stringify({ name, value }), 0o600);
    },
    follow(onValues) {
      listeners.add(onValues);
      // Whoever leads reads it too, and says what is wrong with it.
      const first = loaded().then(
        () => onValues(values),
        () => {},
      );
      return async () => {
        await first;
        listeners.delete(onValues);
      };
    },
  };
}

/** A crash may have left one that was being written. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return names.filter((name) => name.endsWith('.json')).sort();
}

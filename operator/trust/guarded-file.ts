/** A guarded value in a file of the state folder, mode 0600. One operator uses a folder, so the guard is within it. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { sha256Hex } from '../../lib/canonical-json.ts';
import { parsedJson } from '../../lib/parsed-json.ts';
import { type GuardedStore, type Kept, Stale, Unreadable } from './guarded-store.ts';

export function guardedFile<T>(path: string, schema: z.ZodType<T>): GuardedStore<T> {
  let queue: Promise<unknown> = Promise.resolve();
  const read = async (): Promise<Kept<T>> => {
    const text = await readFileIfThere(path);
    if (text === undefined) return { value: undefined, version: undefined };
    return { value: parse(path, schema, text), version: sha256Hex(text) };
  };
  const write = async (value: T, version: string | undefined): Promise<Kept<T>> => {
    if ((await read()).version !== version) throw new Stale(`${path} has changed`);
    const text = `${JSON.stringify(value, null, 2)}\n`;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, text, 0o600);
    return { value, version: sha256Hex(text) };
  };
  return {
    read,
    write(value, version) {
      const written = queue.then(() => write(value, version));
      queue = written.catch(() => {});
      return written;
    },
  };
}

/** Tells the path and the field, and nothing of what stands there. */
function parse<T>(path: string, schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(parsedJson(text));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole').join(', ');
  throw new Unreadable(`${path} is not what Weir wrote (${fields}); restore it, or remove it to begin anew`);
}

/**
 * The sample files on disk, made once for a seed. `made.json` is written last: a folder that has it for this seed and
 * this content is whole, and is taken as it is.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { type SampleFile, sampleFiles } from './content.ts';

/** Rises when content.ts makes other bytes. */
const CONTENT_VERSION = 1;

const made = z.object({
  seed: z.int(),
  version: z.int(),
  files: z.record(z.string(), z.object({ length: z.int(), etag: z.string() })),
});
type Made = z.infer<typeof made>;

export interface StoredFile {
  path: string;
  type: string;
  maxAge: number;
  /** Where it lies. */
  file: string;
  length: number;
  etag: string;
}

export async function makeFiles(folder: string, seed: number): Promise<StoredFile[]> {
  const noteFile = join(folder, 'made.json');
  const samples = sampleFiles(seed);
  const note = (await readNote(noteFile, seed)) ?? (await makeAll(folder, seed, samples));
  await writeFileAtomic(noteFile, `${JSON.stringify(note, undefined, 2)}\n`);
  return samples.map(({ path, type, maxAge }) => {
    const { length, etag } = note.files[path] ?? { length: 0, etag: '""' };
    return { path, type, maxAge, file: join(folder, path), length, etag };
  });
}

async function readNote(path: string, seed: number): Promise<Made | undefined> {
  try {
    const note = made.parse(JSON.parse((await readFileIfThere(path)) ?? '{}'));
    const whole = await Promise.all(
      Object.entries(note.files).map(
        async ([file, { length }]) => (await stat(join(dirname(path), file))).size === length,
      ),
    );
    const fits = note.seed === seed && note.version === CONTENT_VERSION && !whole.includes(false);
    return fits ? note : undefined;
  } catch {
    // Cut short, tidied away, or from another version: the files are simply made again.
    return undefined;
  }
}

async function makeAll(folder: string, seed: number, samples: readonly SampleFile[]): Promise<Made> {
  const files: Made['files'] = {};
  for (const sample of samples) files[sample.path] = await makeFile(join(folder, sample.path), sample);
  return { seed, version: CONTENT_VERSION, files };
}

async function makeFile(path: string, sample: SampleFile): Promise<{ length: number; etag: string }> {
  await mkdir(dirname(path), { recursive: true });
  const digest = createHash('sha256');
  const file = await open(path, 'w');
  let length = 0;
  try {
    for (const chunk of sample.bytes()) {
      digest.update(chunk);
      length += chunk.length;
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  return { length, etag: `"${digest.digest('hex').slice(0, 16)}"` };
}

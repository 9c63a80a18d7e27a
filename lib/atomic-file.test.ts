import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFileAtomic, readFileIfThere, removeFile, writeFileAtomic } from './atomic-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-atomic-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writing', () => {
  test('makes the folder, replaces the text, leaves nothing else behind', async () => {
    const path = join(folder, 'deep/er/plan.json');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await readdir(join(folder, 'deep/er'))).toEqual(['plan.json']);
  });

  test('writes bytes as they are', async () => {
    const bytes = Uint8Array.from([0, 255, 10, 13]);
    await writeFileAtomic(join(folder, 'bytes'), bytes);
    expect(Uint8Array.from(await readFile(join(folder, 'bytes')))).toEqual(bytes);
  });

  test('of many who create a file one is the first, and its text stays', async () => {
    const path = join(folder, 'token');
    const made = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (text) => ({ text, first: await createFileAtomic(path, text) })),
    );
    const first = made.filter(({ first }) => first);
    expect(first.map(({ text }) => text)).toEqual([await readFile(path, 'utf8')]);
    expect(await readdir(folder)).toEqual(['token']);
  });

  test('gives a secret the mode that was asked for from its first byte on', async () => {
    await writeFileAtomic(join(folder, 'token'), 'secret', 0o600);
    expect((await stat(join(folder, 'token'))).mode & 0o777).toBe(0o600);
  });

  test('many writers of one file leave one whole text', async () => {
    const path = join(folder, 'plan.json');
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['plan.json']);
  });

  test('a failure is said, and what was there stays', async () => {
    const path = join(folder, 'plan.json');
    await mkdir(path);
    await writeFile(join(path, 'x'), '');
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow('plan.json');
    expect(await readdir(path)).toEqual(['x']);
  });

  test('a reader beside a writer that is killed sees the old text or the new one', async () => {
    const path = join(folder, 'plan.json');
    const writer = spawn(process.execPath, ['--input-type=module', '-e', WRITER, path], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(writer.stdout, 'data');
    const seen = new Set<string>();
    for (let reads = 0; reads < 200; reads++) seen.add(await readFile(path, 'utf8'));
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    seen.add(await readFile(path, 'utf8'));
    expect([...seen].filter((text) => text !== 'a'.repeat(500_000) && text !== 'b'.repeat(500_000))).toEqual(
      [],
    );
  });
});

const WRITER = `
  import { writeFileAtomic } from './atomic-file.ts';
  for (let round = 0; ; round++) {
    await writeFileAtomic(process.argv[1], 'ab'[round % 2].repeat(500_000));
    if (round === 1) process.stdout.write('started');
  }
`;

describe('removing', () => {
  test('removes, and a file that is not there is no error', async () => {
    const path = join(folder, 'plan.json');
    await writeFileAtomic(path, 'x');
    await removeFile(path);
    await removeFile(path);
    await removeFile(join(folder, 'no/such/folder/plan.json'));
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('reading', () => {
  test('nothing when there is no file', async () => {
    expect(await readFileIfThere(join(folder, 'none'))).toBeUndefined();
    expect(await readFileIfThere(join(folder, 'no/such/folder'))).toBeUndefined();
  });

  test('the text when there is one, also an empty one', async () => {
    await writeFile(join(folder, 'empty'), '');
    expect(await readFileIfThere(join(folder, 'empty'))).toBe('');
  });

  test('any other failure is thrown', async () => {
    await expect(readFileIfThere(folder)).rejects.toThrow('EISDIR');
    await writeFile(join(folder, 'file'), '');
    await expect(readFileIfThere(join(folder, 'file/below'))).rejects.toThrow('ENOTDIR');
  });
});

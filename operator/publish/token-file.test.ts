import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOrMakeToken } from './token-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-token-'));
  path = join(folder, 'token');
});
afterEach(() => rm(folder, { recursive: true }));

test('replicas that start at once on one folder have one token', async () => {
  const tokens = await Promise.all(Array.from({ length: 8 }, () => readOrMakeToken(path)));
  expect(new Set(tokens)).toEqual(new Set([(await readFile(path, 'utf8')).trim()]));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a file that a full disk left empty gets one, and one that is there is kept', async () => {
  await writeFile(path, '');
  const token = await readOrMakeToken(path);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(await readOrMakeToken(path)).toBe(token);
});

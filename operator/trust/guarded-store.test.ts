/** Guarded values in files of the state folder; test/cluster/trust.test.ts has the same for Secrets. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { describeGuardedStore } from '../testing/guarded-store-suite.ts';
import { memoryStore } from '../testing/trust.ts';
import { guardedFile } from './guarded-file.ts';
import type { GuardedStore } from './guarded-store.ts';

let folder: string;
let file: GuardedStore<string[]>;
const path = () => join(folder, 'trust', 'value.json');
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-guarded-'));
  // One operator uses a state folder: the guard is within it.
  file = guardedFile(path(), z.array(z.string()));
});
afterEach(() => rm(folder, { recursive: true }));

describeGuardedStore('a file', () => file);

let memory: GuardedStore<string[]>;
beforeEach(() => {
  memory = memoryStore<string[]>();
});
describeGuardedStore('the memory of tests', () => memory);

test('is for the eyes of its owner', async () => {
  await file.write(['secret'], undefined);
  expect((await stat(path())).mode & 0o777).toBe(0o600);
  expect((await stat(dirname(path()))).mode & 0o777).toBe(0o700);
});

test.each(['half a fi', '["secret", 1]', ''])('is not replaced where it does not read: %j', async (text) => {
  await file.write([], undefined);
  await writeFile(path(), text);
  const failure = await file.read().catch((error: Error) => error.message);
  expect(failure).toContain(`${path()} is not what Weir wrote`);
  expect(failure).not.toContain('secret');
  await expect(file.write([], undefined)).rejects.toThrow();
});

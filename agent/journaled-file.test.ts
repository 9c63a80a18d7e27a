/** A file with a journal beside it: what is found after each way of ending. */
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JournaledFile, readJournaled } from './journaled-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-journal-'));
  path = join(folder, 'plan.json');
});
afterEach(() => rm(folder, { recursive: true }));

test('lines follow the file, in order, and a new file takes them away', async () => {
  const file = new JournaledFile(path);
  await file.replace('whole');
  expect([await file.append('one'), await file.append('two')]).toEqual([true, true]);
  expect(await readJournaled(path)).toEqual({ file: 'whole', lines: ['one', 'two'] });
  await file.replace('newer');
  expect(await readJournaled(path)).toEqual({ file: 'newer', lines: [] });
  expect(await readdir(folder)).toEqual(['plan.json']);
  expect(await file.append('three')).toBe(true);
  expect(await readJournaled(path)).toEqual({ file: 'newer', lines: ['three'] });
  await file.close();
});

test('a line that a crash tore is left out', async () => {
  const file = new JournaledFile(path);
  await file.replace('whole');
  await file.append('one');
  await file.close();
  await appendFile(`${path}.journal`, '{"to');
  expect(await readJournaled(path)).toEqual({ file: 'whole', lines: ['one'] });
});

test('nothing is appended to what another run left', async () => {
  await writeFile(path, 'whole');
  await writeFile(`${path}.journal`, 'one\n{"to');
  const file = new JournaledFile(path);
  expect(await file.append('two')).toBe(false);
  await file.replace('newer');
  expect(await file.append('three')).toBe(true);
  expect(await readJournaled(path)).toEqual({ file: 'newer', lines: ['three'] });
  await file.close();
});

test('a journal does not grow without end', async () => {
  const file = new JournaledFile(path);
  await file.replace('whole');
  const line = 'x'.repeat(100_000);
  let appended = 0;
  while (await file.append(line)) appended += 1;
  expect(appended).toBe(10);
  expect((await readFile(`${path}.journal`)).length).toBeLessThan(2 ** 20);
  await file.close();
});

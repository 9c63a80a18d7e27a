import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bodyFiles } from './body-files.ts';
import { SmallWrites } from './small-writes.ts';

let folder: string;
let nowMs: number;
/** How long a write on the event loop takes. */
let takesMs: number;
let later: Promise<unknown>[];
let failures: unknown[];
let ways: string[];
let done: [id: string, isWhole: boolean][];
let wanted: Set<string>;
let writes: SmallWrites;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-small-writes-'));
  [nowMs, takesMs, later, failures, ways, done] = [0, 0, [], [], [], []];
  wanted = new Set(['aa1', 'aa2', 'aa3']);
  const files = bodyFiles(folder);
  writes = new SmallWrites(
    {
      write(id, bytes) {
        ways.push('loop');
        files.write(id, bytes);
        nowMs += takesMs;
      },
      create(id) {
        ways.push('pool');
        return files.create(id);
      },
      later: (work) => void later.push(work),
      failed: (_operation, error) => void failures.push(error),
    },
    { isWanted: (id) => wanted.has(id), onDone: (id, isWhole) => void done.push([id, isWhole]) },
    () => nowMs,
  );
});

afterEach(() => rm(folder, { recursive: true }));

const write = (id: string) => writes.add(id, Buffer.from(`body of ${id}`));
const stored = () => readdir(join(folder, 'aa'));

test('nothing is written before the turn of the event loop is over', async () => {
  write('aa1');
  expect(await Promise.resolve().then(() => done)).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual([['aa1', true]]);
  await using file = await open(join(folder, 'aa', 'aa1'));
  expect(await file.readFile('utf8')).toBe('body of aa1');
});

test('what was purged while it waited gets no file', async () => {
  write('aa1');
  write('aa2');
  wanted.delete('aa1');
  writes.flush();
  expect(done).toEqual([
    ['aa1', false],
    ['aa2', true],
  ]);
  expect(await stored()).toEqual(['aa2']);
});

test('after a write that waited for the disk, others go through the pool for a second', async () => {
  takesMs = 50;
  for (const id of ['aa1', 'aa2']) write(id);
  writes.flush();
  expect(ways).toEqual(['loop', 'pool']);
  await Promise.all(later);
  expect(await stored()).toEqual(['aa1', 'aa2']);
  nowMs += 1_001;
  write('aa3');
  writes.flush();
  expect(ways).toEqual(['loop', 'pool', 'loop']);
  expect(done.map(([, isWhole]) => isWhole)).toEqual([true, true, true]);
});

test('a write that fails, either way, is told and said to be none', async () => {
  for (const id of ['aa1', 'aa2']) write(id);
  writes.flush();
  takesMs = 50;
  // Each is there already; the third is slow, so the last one goes through the pool.
  for (const id of ['aa1', 'aa3', 'aa2']) write(id);
  writes.flush();
  await Promise.all(later);
  expect(done.slice(2)).toEqual([
    ['aa1', false],
    ['aa3', true],
    ['aa2', false],
  ]);
  expect(failures).toHaveLength(2);
});

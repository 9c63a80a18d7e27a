import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog, type Log } from '../../lib/log.ts';
import { openDiskIndex } from './disk-index.ts';
import { cacheKey, sliceKey } from './key.ts';
import type { StoredObject } from './stored-object.ts';

let folder: string;
let said: string[];
let log: Log;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'weir-index-')), 'cache');
  mkdirSync(folder);
  said = [];
  log = createLog('edge');
  for (const level of ['info', 'warn', 'error'] as const) {
    log[level] = (...words: unknown[]) => void said.push(`${level}: ${words.join(' ')}`);
  }
});

afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

const key = cacheKey('u', '/a', '?b', { mode: 'Keep', names: [] });

const object: StoredObject = {
  id: 'ab',
  key,
  selection: [],
  status: 200,
  headers: [['etag', '"1"']],
  requestTime: 1,
  responseTime: 2,
  generation: 3,
  tags: ['t'],
  size: 4,
  checksums: [5],
};

function make(sql: string): void {
  const db = new DatabaseSync(join(folder, 'index.db'));
  db.exec(sql);
  db.close();
}

test('an index of the layout before this one is brought up, and keeps what it has', () => {
  const before = openDiskIndex(folder, log);
  before.put(object, 9);
  before.close();
  make(`
    DROP INDEX by_use_of_domain; DROP INDEX by_key; ALTER TABLE objects DROP COLUMN slice;
    CREATE INDEX by_key ON objects (domain, path, query); PRAGMA user_version = 2;`);
  const index = openDiskIndex(folder, log);
  expect(index.find(key)).toEqual([{ ...object, staleAt: undefined }]);
  expect(index.find(sliceKey(key, 0))).toEqual([]);
  expect(index.totals()).toEqual([{ domain: 'u', objects: 1, bytes: 4 }]);
  index.close();
  expect(said.join()).toMatch(/^info: .*new layout/);
});

test.each([1, 99])('one of layout %i is begun anew, and that is said', (layout) => {
  make(`CREATE TABLE objects (id TEXT); PRAGMA user_version = ${layout};`);
  const index = openDiskIndex(folder, log);
  expect(index.totals()).toEqual([]);
  index.close();
  expect(said.join()).toMatch(
    new RegExp(
      `^warn: .*the cache index is of layout ${layout}, and this edge reads 2 to 3: the cache starts empty`,
    ),
  );
});

test('one that cannot be read is put aside', () => {
  writeFileSync(join(folder, 'index.db'), 'this is no database, however long it is looked at'.repeat(100));
  const index = openDiskIndex(folder, log);
  index.close();
  expect(readdirSync(folder).join()).toMatch(/index\.db\.corrupt-/);
  expect(said.join()).toMatch(/^error: /);
});

test('a slice is found by its own key alone', () => {
  const index = openDiskIndex(folder, log);
  const slice = { ...object, key: sliceKey(key, 7) };
  index.put(slice, 1);
  expect(index.find(key)).toEqual([]);
  expect(index.find(sliceKey(key, 7))).toEqual([{ ...slice, staleAt: undefined }]);
  index.close();
});

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { openTicketKeys } from './ticket-key.ts';

const HOUR_MS = 3_600_000;

let folder: string;
let clock: FakeClock;
let changes: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-ticket-'));
  clock = new FakeClock();
  changes = [];
});
afterEach(() => rm(folder, { recursive: true }));

const file = () => join(folder, 'ticket-key.json');
const open = () =>
  openTicketKeys(folder, { clock, log: silentLog, onChange: (key) => void changes.push(key) });

test('is kept over restarts, for its owner alone', async () => {
  const first = await open();
  first.stop();
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect((await open()).current()).toBe(first.current());
});

test('is another one after half a day, also where nobody was there meanwhile', async () => {
  const first = await open();
  const key = first.current();
  clock.advance(11 * HOUR_MS);
  expect(first.current()).toBe(key);
  clock.advance(HOUR_MS);
  expect(first.current()).not.toBe(key);
  expect(changes).toEqual([first.current()]);
  first.stop();
  await eventually(async () => expect(await readFile(file(), 'utf8')).toContain(first.current()));
  clock.advance(12 * HOUR_MS);
  expect((await open()).current()).not.toBe(first.current());
});

test('a file that does not read, and one of the future, are no reason not to start', async () => {
  for (const text of ['{', '{"key":"AAAA","made":0}', '']) {
    await writeFile(file(), text);
    const keys = await open();
    expect(Buffer.from(keys.current(), 'base64')).toHaveLength(48);
    keys.stop();
  }
  const before = await open();
  clock.advance(-24 * HOUR_MS);
  expect((await open()).current()).not.toBe(before.current());
});

test('lies nowhere without a folder', async () => {
  const keys = await openTicketKeys(undefined, { clock, log: silentLog, onChange: () => {} });
  expect(keys.current()).not.toBe('');
  expect(await readdir(folder)).toEqual([]);
});

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OriginBody } from '../origin/origin-body.ts';
import { Blocks } from './blocks.ts';
import type { ByteSource } from './byte-source.ts';
import { FillBody } from './fill-body.ts';
import type { Rest } from './rest-source.ts';
import { BLOCK_BYTES } from './stored-object.ts';

let folder: string;
let relayed: unknown[];
let unreadable: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-fill-'));
  relayed = [];
  unreadable = [];
});
afterEach(() => rm(folder, { recursive: true }));

const bodyWith = (
  createFile = () => open(join(folder, 'body'), 'wx+'),
  maxBytes = 2 ** 40,
  from: Rest['from'] = async () => undefined,
) =>
  new FillBody({
    createFile,
    maxBytes,
    onWritten: () => {},
    onRelay: (reason) => relayed.push(reason),
    onUnreadable: (reason) => unreadable.push(reason),
    rest: { from, onBytes: () => {} },
  });

async function readAll(source: ByteSource | undefined, from = 0): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const room = new Blocks().room();
  for (let at = from; ; ) {
    const chunk = await source?.read(at, room);
    if (chunk === undefined || chunk.length === 0) break;
    chunks.push(Buffer.from(chunk));
    at += chunk.length;
  }
  await source?.close();
  return Buffer.concat(chunks);
}

/** Bytes that tell where they are from. */
const bytes = (length: number) => Buffer.from(Uint32Array.from({ length: length / 4 }, (_, at) => at).buffer);
const MEBIBYTE = 2 ** 20;

async function feed(body: FillBody, whole: Buffer, size = 65_536): Promise<void> {
  for (let at = 0; at < whole.length; at += size) await body.append(whole.subarray(at, at + size));
}

test.each([
  ['of one block: in memory', BLOCK_BYTES, 'memory'],
  ['of more: in a file', BLOCK_BYTES + 4, 'file'],
  ['of nothing', 0, 'memory'],
])('a body %s', async (_name, length, where) => {
  const body = bodyWith();
  const whole = bytes(length);
  const readers = [body.reader(0), body.reader(0)];
  const reading = Promise.all(readers.map((reader) => readAll(reader)));
  await feed(body, whole);
  const filled = await body.end();
  expect(filled).toMatchObject({ size: length, kept: { in: where } });
  expect(filled.checksums).toHaveLength(Math.ceil(length / BLOCK_BYTES));
  expect((await reading).every((read) => read.equals(whole))).toBe(true);
  expect((await readAll(body.reader(8), 8)).equals(whole.subarray(8))).toBe(true);
  await body.release();
  expect(body.reader(0)).toBeUndefined();
});

test('a broken origin is told to every reader, after what had come', async () => {
  const body = bodyWith();
  await body.append(Buffer.from('part'));
  const reader = body.reader(0);
  await body.fail(new Error('broke off'));
  const room = new Blocks().room();
  expect(String(await reader?.read(0, room))).toBe('part');
  await expect(reader?.read(4, room)).rejects.toThrow('broke off');
});

describe('a file that fails', () => {
  test.each([
    ['at once', 0],
    ['in the middle', 3],
  ])('%s: readers get all bytes, nobody new may join, nothing is kept', async (_name, writes) => {
    const body = bodyWith(async () => {
      const file = await open(join(folder, 'body'), 'wx+');
      const write = file.writev.bind(file);
      let left = writes;
      const failing = (...given: Parameters<typeof write>) =>
        left-- > 0 ? write(...given) : Promise.reject(new Error('ENOSPC'));
      return Object.assign(file, { writev: failing });
    });
    const whole = bytes(8 * MEBIBYTE);
    const reading = Promise.all([readAll(body.reader(0)), readAll(body.reader(MEBIBYTE), MEBIBYTE)]);
    await feed(body, whole);
    expect(await body.end()).toMatchObject({ size: whole.length, kept: { in: 'nothing' } });
    const [all, part] = await reading;
    expect(all?.equals(whole)).toBe(true);
    expect(part?.equals(whole.subarray(MEBIBYTE))).toBe(true);
    expect(relayed).toHaveLength(1);
    expect(body.reader(0)).toBeUndefined();
    await body.release();
  });

  test('makes the origin wait for the slowest reader, and gives up without one', async () => {
    const body = bodyWith(() => Promise.reject(new Error('EIO')));
    const reader = body.reader(0);
    let fed = 0;
    const feeding = (async () => {
      while (!body.abandoned && fed < 100) {
        await body.append(bytes(MEBIBYTE / 4));
        fed++;
      }
    })();
    const room = new Blocks().room();
    await reader?.read(0, room);
    await reader?.read(MEBIBYTE / 4, room);
    expect(fed).toBeLessThan(10);
    await reader?.close();
    await feeding;
    expect(body.abandoned).toBe(true);
    expect(fed).toBeLessThan(10);
  });
});

describe('a file that cannot be read back', () => {
  const whole = bytes(4 * MEBIBYTE);
  const unreadableFile = async () => {
    const file = await open(join(folder, 'body'), 'wx+');
    return Object.assign(file, { read: () => Promise.reject(new Error('EIO')) });
  };

  test.each([0, 65_537])('the rest of a reader at %i comes from the origin', async (offset) => {
    const asked: number[] = [];
    const body = bodyWith(unreadableFile, undefined, async (from) => {
      asked.push(from);
      const rest = new OriginBody({ pause() {}, resume() {}, abort() {} });
      for (const chunk of chunksOf(whole.subarray(from), 50_000)) rest.push(chunk);
      rest.end();
      return rest;
    });
    const lagging = body.reader(offset);
    await feed(body, whole);
    expect((await body.end()).kept).toEqual({ in: 'file' });
    expect((await readAll(lagging, offset)).equals(whole.subarray(offset))).toBe(true);
    expect(asked).toEqual([offset]);
    expect(unreadable).toHaveLength(1);
    await body.release();
  });

  test('where the origin does not have the same any more, the reader breaks off', async () => {
    const body = bodyWith(unreadableFile);
    const lagging = body.reader(0);
    await feed(body, whole);
    await body.end();
    await expect(readAll(lagging)).rejects.toThrow('cannot be read back');
    await lagging?.close();
    await body.release();
  });
});

function* chunksOf(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('a body that grows beyond the limit is relayed', async () => {
  const body = bodyWith(undefined, MEBIBYTE);
  const whole = bytes(4 * MEBIBYTE);
  const reading = readAll(body.reader(0));
  await feed(body, whole);
  expect((await body.end()).kept).toEqual({ in: 'nothing' });
  expect((await reading).equals(whole)).toBe(true);
  expect(String(relayed[0])).toMatch(/larger than the cache/);
});

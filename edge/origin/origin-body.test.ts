import { text } from 'node:stream/consumers';
import { beforeEach, expect, test } from 'vitest';
import { OriginBody } from './origin-body.ts';

let did: string[];
let body: OriginBody;

beforeEach(() => {
  did = [];
  body = new OriginBody({
    pause: () => void did.push('pause'),
    resume: () => void did.push('resume'),
    abort(reason) {
      did.push('abort');
      body.fail(reason);
    },
  });
});

const PIECE = Buffer.alloc(65_536, 'x');

test('pieces in order, those that came before they were asked for and those that come after', async () => {
  body.push(Buffer.from('a'));
  expect(String(await body.read())).toBe('a');
  const next = body.read();
  body.push(Buffer.from('b'));
  expect(String(await next)).toBe('b');
  const last = body.read();
  body.end();
  expect(await last).toBeUndefined();
  expect(await body.read()).toBeUndefined();
});

test('a piece of no bytes, as undici has it where it is resumed too early, is no piece and not the end', async () => {
  body.push(Buffer.alloc(0));
  const next = body.read();
  body.push(Buffer.alloc(0));
  body.push(Buffer.from('a'));
  expect(String(await next)).toBe('a');
  body.push(Buffer.alloc(0));
  body.end();
  expect(await body.read()).toBeUndefined();
});

test('what came is read before it is told that the rest will not', async () => {
  body.push(Buffer.from('a'));
  body.fail(new Error('reset'));
  expect(String(await body.read())).toBe('a');
  await expect(body.read()).rejects.toThrow('reset');
  await expect(body.read()).rejects.toThrow('reset');
});

test('the origin waits while too much is not read, until all of it is', async () => {
  for (let count = 0; count < 2; count++) body.push(PIECE);
  expect(did).toEqual([]);
  body.push(PIECE);
  expect(did).toEqual(['pause']);
  await body.read();
  await body.read();
  expect(did).toEqual(['pause']);
  await body.read();
  expect(did).toEqual(['pause', 'resume']);
});

test('a short one that nobody wants is read to its end; a long one is broken off', async () => {
  const short = body.dump();
  body.push(PIECE);
  body.end();
  await short;
  expect(did).not.toContain('abort');

  const long = new OriginBody({ pause() {}, resume() {}, abort: () => void did.push('abort') });
  for (let count = 0; count < 3; count++) long.push(PIECE);
  await long.dump();
  expect(did).toContain('abort');
});

test('abandoned once it has come, its connection stays', () => {
  body.push(PIECE);
  body.end();
  body.abandon();
  expect(did).toEqual([]);
});

test('as a stream: whole, and broken off where it is', async () => {
  for (const part of ['a', 'b']) body.push(Buffer.from(part));
  const whole = text(body.stream());
  body.push(Buffer.from('c'));
  body.end();
  expect(await whole).toBe('abc');
});

test('… a stream that breaks off says so, and one that is destroyed breaks its origin off', async () => {
  const stream = body.stream();
  const read = text(stream);
  body.push(Buffer.from('a'));
  body.fail(new Error('reset'));
  await expect(read).rejects.toThrow('reset');
  const other = new OriginBody({ pause() {}, resume() {}, abort: () => void did.push('abort') });
  other.stream().destroy();
  expect(did.filter((one) => one === 'abort')).toHaveLength(1);
});

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ndjsonLine, readNdjson } from './ndjson.ts';

async function valuesOf(...chunks: Uint8Array[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of readNdjson(Readable.from(chunks))) values.push(value);
  return values;
}

const sent = [{ type: 'hello' }, { text: '视频 📼 line\nbreak' }, [], null, 7];
const bytes = Buffer.from(sent.map(ndjsonLine).join(''));

test.each([1, 2, 3, 7, bytes.length])('values come whole in chunks of %d bytes', async (size) => {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  expect(await valuesOf(...chunks)).toEqual(sent);
});

test('empty lines say nothing', async () => {
  expect(await valuesOf(Buffer.from('\n{"a":1}\n\n2\n'))).toEqual([{ a: 1 }, 2]);
});

test('a line that was cut off is no value', async () => {
  expect(await valuesOf(Buffer.from('1\n{"a":'))).toEqual([1]);
  expect(await valuesOf(Buffer.from('1\n2'))).toEqual([1]);
});

test('a line that is not JSON is an error', async () => {
  await expect(valuesOf(Buffer.from('{"a":1}\nHTTP/1.1\n'))).rejects.toThrow(SyntaxError);
});

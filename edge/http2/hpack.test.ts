/** Against what nghttp2 writes and reads: node:http2's client speaks to the reader, and reads what is written here. */
import { connect } from 'node:http2';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { END_HEADERS, END_STREAM, FrameReader, frame, TYPES, type WholeFrame } from './frames.ts';
import { fieldBlock, HpackReader } from './hpack.ts';
import { huffmanText } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (...blocks: string[]) => {
  const reader = new HpackReader(65_536);
  return blocks.map((block) => reader.read(hex(block))?.fields);
};

describe('the examples of RFC 7541', () => {
  test.each([
    [
      'C.3, plain',
      [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
    ],
    [
      'C.4, Huffman',
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
    ],
  ])('%s', (_name, blocks) => {
    const start = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
    expect(read(...blocks)).toEqual([
      start,
      [...start, 'cache-control', 'no-cache'],
      [
        ':method',
        'GET',
        ':scheme',
        'https',
        ':path',
        '/index.html',
        ':authority',
        'www.example.com',
        'custom-key',
        'custom-value',
      ],
    ]);
  });

  test('numbers of several bytes, 5.1', () => {
    const value = 'v'.repeat(1_337);
    expect(new HpackReader(65_536).read(fieldBlock(['x', value]))?.fields).toEqual(['x', value]);
  });
});

describe('blocks that break the form', () => {
  test.each([
    ['the field of number 0', '80'],
    ['a number of no field', 'be'],
    ['the name of no number', '7f 00 01 61'],
    ['a number without an end', 'ff ff ff ff ff ff ff'],
    ['a text that is cut', '00 01 61 05 61'],
    ['nothing behind a name', '00 01 61'],
    ['a table larger than ours', '3f e2 1f'],
    ['a table made smaller behind a field', '82 20'],
    ['Huffman with the end in it', '00 01 61 84 ff ff ff ff'],
    ['Huffman with eight bits at its end', '00 01 61 82 1f ff'],
    ['Huffman with zeros at its end', '00 01 61 81 18'],
  ])('%s', (_name, block) => {
    expect(read(block)).toEqual([undefined]);
  });

  test('no bytes at all make it throw, or give more than it may', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), (blocks) => {
        const reader = new HpackReader(200);
        for (const block of blocks) {
          const fields = reader.read(Buffer.from(block))?.fields ?? [];
          expect(fields.length).toBeLessThanOrEqual(2 * 8);
        }
      }),
      { seed: 7541, numRuns: 5_000 },
    );
  });
});

test('one byte that stands for a large field is not multiplied', () => {
  const reader = new HpackReader(10_000);
  const large = 'x'.repeat(3_000);
  expect(reader.read(Buffer.concat([hex('40 01 61'), fieldBlock(['b', large]).subarray(3)]))?.fields).toEqual(
    ['a', large],
  );
  expect(reader.read(Buffer.alloc(16_000, 0xbe))?.fields).toHaveLength(2 * 4);
});

test('what is written is read as it was, and leaves no trace', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  const value = fc.string({
    unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 200,
  });
  const known = fc.constantFrom(...STATIC_TABLE);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.tuple(name, value), known), { maxLength: 12 }), (fields) => {
      const block = fieldBlock(fields.flat());
      const reader = new HpackReader(65_536);
      expect(reader.read(block)).toMatchObject({ fields: fields.flat(), isRepeatable: true });
      expect(reader.read(hex('be'))).toBeUndefined();
    }),
    { seed: 7541, numRuns: 500 },
  );
});

test('nghttp2 writes and this reads: any bytes, Huffman and not, from its table and not', async () => {
  const { client, frames, say } = wire();
  say(frame(TYPES.settings, 0, 0));
  const values = Array.from({ length: 223 }, (_, index) => String.fromCharCode(index + 33))
    .filter((text) => text !== '\x7f')
    .map((text) => `a${text.repeat(3)}z`);
  const expected = [...values, ...values].map((value, index) => {
    client.request({
      ':path': `/${index % 7}`,
      ':authority': 'a.example',
      'x-any': value,
      'user-agent': 'test',
    });
    return [':path', `/${index % 7}`, 'x-any', value];
  });
  await new Promise((resolve) => setImmediate(resolve));
  const reader = new HpackReader(65_536);
  const blocks = frames
    .filter(({ type }) => type === TYPES.headers)
    .map(({ payload }) => reader.read(payload));
  expect(blocks).toHaveLength(expected.length);
  for (const [index, block] of blocks.entries()) {
    const fields = block?.fields ?? [];
    const pairs = fields.flatMap((field, at) =>
      field === ':path' || field === 'x-any' ? [field, fields[at + 1]] : [],
    );
    expect(pairs).toEqual(expected[index]);
  }
  client.destroy();
});

test('this writes and nghttp2 reads', async () => {
  const { client, say } = wire();
  say(frame(TYPES.settings, 0, 0));
  const stream = client.request({ ':path': '/', ':authority': 'a.example' }).resume();
  await new Promise((resolve) => setImmediate(resolve));
  const told = new Promise((resolve) => stream.once('response', resolve));
  const fields = [':status', '200', 'content-length', '0', 'x-long', 'y'.repeat(300), 'vary', ''];
  say(frame(TYPES.headers, END_HEADERS | END_STREAM, 1, fieldBlock(fields)));
  expect(await told).toMatchObject({
    ':status': 200,
    'content-length': '0',
    'x-long': 'y'.repeat(300),
    vary: '',
  });
  client.destroy();
});

test('an empty text, and one that ends with its byte', () => {
  expect(huffmanText(Buffer.alloc(0))).toBe('');
  expect(huffmanText(hex('f1e3c2e5f23a6ba0ab90f4ff'))).toBe('www.example.com');
});

/** A client whose frames are looked at, without the preface. */
function wire() {
  const frames: WholeFrame[] = [];
  const reader = new FrameReader();
  let skip = 24;
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      const bytes = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - bytes.length;
      reader.read(Buffer.from(bytes), (one) => frames.push(one) > 0);
      done();
    },
  });
  const client = connect('http://a.example', {
    createConnection: () => socket,
    peerMaxConcurrentStreams: 1_000,
  });
  client.on('error', () => {});
  return { client, frames, say: (bytes: Buffer) => socket.push(bytes) };
}

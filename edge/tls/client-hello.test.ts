import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../lib/listen.ts';
import { readClientHello } from './client-hello.ts';

/** What OpenSSL sends first. */
async function helloOf(options: { servername?: string; maxVersion?: 'TLSv1.2' }): Promise<Buffer> {
  const server = createServer();
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = connect({ host: '127.0.0.1', port, ...options }).on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

let modern: Buffer;
beforeAll(async () => {
  modern = await helloOf({ servername: 'Video.Example.com' });
});

/** The same message in records of so many bytes. */
function inRecords(bytes: Buffer, size: number): Buffer {
  const message = bytes.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(parts);
}

test('the name, in lower case', () => {
  expect(readClientHello(modern)).toEqual({ kind: 'hello', serverName: 'video.example.com' });
});

test('of TLS 1.2, and one without a name', async () => {
  const old = await helloOf({ servername: 'a.example', maxVersion: 'TLSv1.2' });
  expect(readClientHello(old)).toEqual({ kind: 'hello', serverName: 'a.example' });
  expect(readClientHello(await helloOf({}))).toEqual({ kind: 'hello', serverName: '' });
});

test('spread over records, and with more behind it', () => {
  for (const size of [1, 7, 100, 16_000]) {
    expect(readClientHello(Buffer.concat([inRecords(modern, size), Buffer.from('more')]))).toEqual({
      kind: 'hello',
      serverName: 'video.example.com',
    });
  }
});

test('in records of one byte costs no more than its length, at every packet', () => {
  const long = Buffer.alloc(5 + 16_000);
  long.writeUIntBE(0x01_00_00_00 + 15_996, 5, 4);
  const records = inRecords(long, 1);
  const spent = process.cpuUsage();
  for (let length = 0; length < 17_408; length += 100)
    expect(readClientHello(records.subarray(0, length)).kind).toBe('incomplete');
  // Put together anew for each record it was five seconds, so eight minutes for a client that sends byte by byte.
  expect(process.cpuUsage(spent).user).toBeLessThan(1_000_000);
});

test('as long as it is not whole, there is more to come', () => {
  for (let length = 0; length < modern.length; length++) {
    expect(readClientHello(modern.subarray(0, length))).toEqual({ kind: 'incomplete' });
  }
});

describe('what is none', () => {
  test.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n'), true],
    ['SSH', Buffer.from([0, 1, 2, 3]), false],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), false],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), false],
    ['another message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), false],
    ['a message that is too long', Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0]), false],
    [
      'a session id that runs out of it',
      Buffer.from([22, 3, 1, 0, 39, 1, 0, 0, 35, ...Array(34).fill(0), 9]),
      false,
    ],
  ])('%s', (_name, bytes, text) => {
    expect(readClientHello(bytes)).toEqual({ kind: 'invalid', text });
  });
});

test('whatever comes is answered, and nothing throws', () => {
  const changed = fc.array(fc.tuple(fc.nat(modern.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(changed, (changes) => {
      const bytes = Buffer.from(modern);
      for (const [at, value] of changes) bytes[at] = value;
      expect(['hello', 'incomplete', 'invalid']).toContain(readClientHello(bytes).kind);
    }),
    { seed: 7, numRuns: 2_000 },
  );
});

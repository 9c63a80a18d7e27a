import { describe, expect, test } from 'vitest';
import { answering } from '../testing/answering.ts';
import { decode, type Opt, optOf, queryBytes } from '../testing/ask.ts';
import { testPlan } from '../testing/routing-plan.ts';

const { ask, send } = answering(testPlan());
const NAME = 'cdn.example.net';
const EMPTY = Buffer.alloc(0);

/** The option's data in hex, as it came back. */
function option(
  code: number,
  data: Buffer,
  { transport = 'udp' as 'udp' | 'tcp' | 'tls' | 'https', name = NAME } = {},
) {
  const { bytes } = send(queryBytes(name, { type: 'SOA', edns: { options: [{ code, data }] } }), {
    transport,
  });
  const found = optOf(decode(bytes))?.options.find((option) => option.code === code);
  return { bytes, data: found && bytesOf(found).toString('hex') };
}

/** dns-packet reads some options itself and keeps no bytes of others. */
function bytesOf(found: Opt['options'][number]): Buffer {
  return found.data ?? EMPTY;
}

const CLIENT = Buffer.from('0102030405060708', 'hex');

describe('cookies (RFC 7873)', () => {
  test('a client cookie comes back with a server cookie, which is good when it is sent', () => {
    const first = option(10, CLIENT);
    expect(first.data).toMatch(/^010203040506070801000000[0-9a-f]{24}$/);
    const both = Buffer.from(first.data ?? '', 'hex');
    expect(option(10, both).data).toBe(first.data);
    const sent = queryBytes(NAME, { edns: { options: [{ code: 10, data: both }] } });
    expect(send(sent).cookie).toBe('good');
    expect(send(sent, { source: '8.8.4.4' }).cookie).toBe('bad');
  });

  test.each([0, 7, 9, 15, 41])('of %i bytes is FORMERR', (length) => {
    const data = Buffer.alloc(length, 1);
    const { rcode } = ask(NAME, { edns: { options: [{ code: 10, data }] } });
    expect(rcode).toBe('FORMERR');
  });

  test('without a question is answered with a cookie alone (5.4)', () => {
    const query = queryBytes(NAME, { edns: { options: [{ code: 10, data: CLIENT }] } });
    const nameBytes = query.indexOf(Buffer.from([0, 0, 1, 0, 1])) + 5;
    const bare = Buffer.concat([query.subarray(0, 12), query.subarray(nameBytes)]);
    bare.writeUInt16BE(0, 4);
    const packet = decode(send(bare).bytes);
    expect(packet).toMatchObject({ rcode: 'NOERROR', questions: [], answers: [], authorities: [] });
    expect(optOf(packet)?.options[0]?.data).toHaveLength(24);
  });

  test('is not sent to who did not send one', () => {
    expect(optOf(ask(NAME, { edns: {} }))?.options).toEqual([]);
  });

  test('is in errors too', () => {
    const query = queryBytes(NAME, { edns: { options: [{ code: 10, data: CLIENT }] } });
    query.writeUInt16BE(5 << 11, 2);
    const packet = decode(send(query).bytes);
    expect([packet.rcode, optOf(packet)?.options.map(({ code }) => code)]).toEqual(['NOTIMP', [15, 10]]);
  });
});

test('NSID names the server for who asks (RFC 5001)', () => {
  expect(Buffer.from(option(3, EMPTY).data ?? '', 'hex').toString()).toBe('dns-test');
});

describe('the idle time of a connection (RFC 7828)', () => {
  test.each(['tcp', 'tls'] as const)('is told over %s, in tenths of a second', (transport) => {
    const { bytes } = option(11, EMPTY, { transport });
    expect(bytes.toString('hex')).toContain('000b00020064');
  });

  test('is not told over UDP', () => {
    expect(option(11, EMPTY).bytes.toString('hex')).not.toContain('000b0002');
  });
});

describe('padding (RFC 7830, 8467)', () => {
  test.each(['tls', 'https'] as const)('makes answers over %s multiples of 468 bytes', (transport) => {
    expect(option(12, EMPTY, { transport }).bytes.length).toBe(468);
    expect(option(12, EMPTY, { transport, name: 'nope.cdn.example.net' }).bytes.length).toBe(468);
  });

  test('is for encrypted transports alone', () => {
    expect(option(12, Buffer.alloc(100), { transport: 'tcp' }).bytes.length).toBeLessThan(200);
  });
});

describe('extended errors (RFC 8914)', () => {
  test.each([
    ['of a transfer: prohibited', queryBytes(NAME, { type: 'AXFR', edns: {} }), '0012'],
    ['of a name outside: not authoritative', queryBytes('example.org', { edns: {} }), '0014'],
  ])('%s', (_, query, code) => {
    expect(optOf(decode(send(query).bytes))?.options.map(({ data }) => data?.toString('hex'))).toEqual([
      code,
    ]);
  });
});

describe('what RFC 8906 asks of servers', () => {
  test.each([
    ['an unknown type', 1_000],
    ['another', 65_000],
  ])('%s is NODATA', (_, type) => {
    const query = queryBytes(NAME);
    query.writeUInt16BE(type, query.length - 4);
    expect(decode(send(query).bytes)).toMatchObject({ rcode: 'NOERROR', flag_aa: true, answers: [] });
  });

  test.each([
    ['RD', 0x0100, 0x0100],
    ['CD', 0x0010, 0x0010],
    ['AD', 0x0020, 0],
    ['the reserved bit', 0x0040, 0],
    ['RA', 0x0080, 0],
    ['AA', 0x0400, 0],
    ['TC', 0x0200, 0],
  ])('with %s set is answered', (_, flag, back) => {
    const query = queryBytes(NAME, { type: 'SOA' });
    query.writeUInt16BE(flag, 2);
    const { bytes } = send(query);
    expect(bytes.readUInt16BE(2)).toBe(0x8400 | back);
    expect(decode(bytes).answers).toHaveLength(1);
  });

  test('an unknown EDNS flag, option and version', () => {
    const options = [{ code: 65_001, data: Buffer.from('x') }];
    expect(optOf(ask(NAME, { edns: { flags: 0x0080, options } }))).toMatchObject({ flags: 0, options: [] });
    const later = ask(NAME, { type: 'SOA', edns: { ednsVersion: 7, options } });
    expect([later.answers, optOf(later)?.extendedRcode]).toEqual([[], 1]);
  });

  test('a size below 512 bytes counts as 512 (RFC 6891 6.2.3)', () => {
    const { answers, flag_tc } = ask(NAME, { type: 'SOA', edns: { udpPayloadSize: 0 } });
    expect([answers?.length, flag_tc]).toEqual([1, false]);
  });
});

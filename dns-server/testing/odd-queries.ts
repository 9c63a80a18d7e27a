/**
 * Queries as no well-meaning client sends them, by fast-check: each part is mostly as it should be and now and then is
 * not, so that most packets are odd in one respect and get far.
 */
import fc from 'fast-check';
import { judgeCookie } from '../cookies/cookies.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { EDNS_OPTION } from '../wire/constants.ts';

type Bytes = fc.Arbitrary<Buffer>;

export interface OddContext {
  /** Names that are there, and some that are not. */
  names: readonly string[];
  secret: Buffer;
  source: IpAddress;
  /** Milliseconds since the epoch: cookies are made around it. */
  now: number;
}

export function oddQuery(context: OddContext): Bytes {
  return fc
    .record({
      flags: mostly(0x0100, 0, fc.nat(0xffff)),
      counts: mostly(undefined, undefined, fc.tuple(fc.nat(2), fc.nat(1), fc.nat(1), fc.nat(3))),
      questions: mostly(1, 1, fc.nat(2)).chain((count) =>
        fc.array(question(context.names), { minLength: count, maxLength: count }),
      ),
      additional: weighted([9, opt(context)], [2, none], [1, both(opt(context), opt(context))], [1, record]),
      tail: weighted([20, none], [1, anyBytes(1, 5)]),
      cutAt: weighted([20, fc.constant(0)], [1, fc.nat(60)]),
    })
    .map(({ flags, counts, questions, additional, tail, cutAt }) => {
      const header = Buffer.alloc(12);
      header.writeUInt16BE(flags, 2);
      const truth = [questions.length, 0, 0, recordsIn(additional)];
      for (const [index, count] of (counts ?? truth).entries()) header.writeUInt16BE(count, 4 + 2 * index);
      const whole = Buffer.concat([header, ...questions, additional, tail]);
      return cutAt === 0 ? whole : whole.subarray(0, cutAt);
    });
}

const none: Bytes = fc.constant(Buffer.alloc(0));

function anyBytes(minLength: number, maxLength: number): Bytes {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
}

function weighted<T>(...parts: [number, fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...parts.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

/** One of the two usual ones, and now and then another. */
function mostly<T>(first: T, second: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return weighted([16, fc.constant(first)], [7, fc.constant(second)], [1, odd]);
}

function both(first: Bytes, second: Bytes): Bytes {
  return fc.tuple(first, second).map((parts) => Buffer.concat(parts));
}

function uint16(...values: number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}

function question(names: readonly string[]): Bytes {
  const usual = fc.constantFrom(...names).map(wireName);
  const mixed = fc.tuple(usual, fc.infiniteStream(fc.boolean())).map(([name, upper]) => inCase(name, upper));
  const odd = fc.oneof(
    // A pointer, to the header and to itself.
    fc.constant(Buffer.of(0xc0, 0)),
    fc.constant(Buffer.of(0xc0, 12)),
    fc.constant(Buffer.concat([wireName('video').subarray(0, -1), Buffer.of(0xc0, 12)])),
    fc.constant(Buffer.of(0)),
    // 255 octets, the most; and 257.
    fc
      .constantFrom(61, 63)
      .map((last) => wireName([63, 63, 63, last].map((length) => 'a'.repeat(length)).join('.'))),
    fc.constant(Buffer.of(0x40, 1, 0)),
    anyBytes(1, 12),
  );
  const name = weighted([4, usual], [4, mixed], [1, odd]);
  const type = weighted([8, fc.constantFrom(1, 28)], [2, fc.constantFrom(2, 6, 16, 41, 43, 46, 252, 255)]);
  const kind = mostly(1, 1, fc.constantFrom(3, 4, 254, 255));
  return fc.tuple(name, type, kind).map(([start, ...fields]) => Buffer.concat([start, uint16(...fields)]));
}

function wireName(text: string): Buffer {
  const labels = text.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

function inCase(name: Buffer, upper: Iterator<boolean>): Buffer {
  const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a;
  return Buffer.from(name.map((byte) => (isLower(byte) && upper.next().value ? byte - 0x20 : byte)));
}

function opt(context: OddContext): Bytes {
  return fc
    .record({
      name: mostly(Buffer.of(0), Buffer.of(0), fc.constant(wireName('a'))),
      size: mostly(1_232, 4_096, fc.constantFrom(0, 100, 511, 512, 513)),
      extended: mostly(0, 0, fc.nat(255)),
      version: mostly(0, 0, fc.constantFrom(1, 255)),
      flags: mostly(0, 0x8000, fc.nat(0xffff)),
      options: options(context),
      missing: mostly(0, 0, fc.nat(3)),
    })
    .map(({ name, size, extended, version, flags, options, missing }) => {
      const fixed = Buffer.concat([uint16(41, size), Buffer.of(extended, version), uint16(flags)]);
      return Buffer.concat([name, fixed, uint16(Math.max(0, options.length - missing)), options]);
    });
}

/** A TXT record, where an OPT would stand. */
const record: Bytes = fc.constant(
  Buffer.concat([wireName('a'), uint16(16, 1, 0, 60, 2), Buffer.of(1, 0x61)]),
);

/** As far as one can tell from its bytes: what is generated here is at most two. */
function recordsIn(additional: Buffer): number {
  if (additional.length === 0) return 0;
  const nameBytes = additional[0] === 0 ? 1 : 3;
  const length = nameBytes + 10 + additional.readUInt16BE(nameBytes + 8);
  return additional.length > length + 3 ? 2 : 1;
}

function options(context: OddContext): Bytes {
  const [ofSubnet, ofCookie] = [
    coded(EDNS_OPTION.CLIENT_SUBNET, subnet),
    coded(EDNS_OPTION.COOKIE, cookie(context)),
  ];
  const any = fc.array(option(context), { maxLength: 4 }).map((parts) => Buffer.concat(parts));
  return weighted(
    [2, any],
    [1, ofSubnet],
    [2, ofCookie],
    [2, both(ofCookie, ofSubnet)],
    [2, both(ofSubnet, ofCookie)],
  );
}

function coded(code: number, data: Bytes): Bytes {
  return data.map((bytes) => Buffer.concat([uint16(code, bytes.length), bytes]));
}

function option(context: OddContext): Bytes {
  return weighted(
    [5, coded(EDNS_OPTION.COOKIE, cookie(context))],
    [4, coded(EDNS_OPTION.CLIENT_SUBNET, subnet)],
    [1, coded(EDNS_OPTION.NSID, none)],
    [1, coded(EDNS_OPTION.PADDING, anyBytes(0, 20))],
    [1, coded(EDNS_OPTION.TCP_KEEPALIVE, none)],
    [1, coded(65_001, anyBytes(0, 3))],
    [1, anyBytes(1, 3)],
  );
}

/** Of this client, as it had it some time ago or will have it; and others, of any length. */
function cookie({ secret, source, now }: OddContext): Bytes {
  const client = anyBytes(8, 8);
  const ours = fc
    .tuple(client, fc.integer({ min: -400, max: 4_000 }))
    .map(([own, age]) => judgeCookie(secret, own, source, now - 1_000 * age).answer);
  const damaged = fc.tuple(ours, fc.nat(23), fc.integer({ min: 1, max: 255 })).map(([made, at, by]) => {
    made[at] = (made[at] ?? 0) ^ by;
    return made;
  });
  return weighted([3, client], [4, ours], [1, damaged], [1, anyBytes(24, 24)], [2, anyBytes(0, 41)]);
}

const subnet: Bytes = fc
  .record({
    network: fc.constantFrom('202.102.224.0', '202.106.1.0', '61.1.2.0', '8.8.8.0').map(bytesOf),
    length: mostly(24, 20, fc.nat(40)),
    family: mostly(1, 1, fc.constantFrom(0, 2, 3)),
    scope: mostly(0, 0, fc.nat(33)),
    // Bits behind the prefix, and bytes too few or too many.
    spare: mostly(0, 0, fc.nat(255)),
    given: mostly(0, 0, fc.integer({ min: -1, max: 1 })),
  })
  .map(({ network, length, family, scope, spare, given }) => {
    const address = Buffer.alloc(17);
    network.copy(address);
    const end = (length + 7) >> 3;
    if (end > 0) {
      const kept = 0xff << (8 * end - length);
      address[end - 1] = ((address[end - 1] ?? 0) & kept) | spare;
    }
    return Buffer.concat([
      uint16(family),
      Buffer.of(length, scope),
      address.subarray(0, Math.max(0, end + given)),
    ]);
  });

function bytesOf(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

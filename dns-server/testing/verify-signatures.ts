/**
 * A validator for tests that shares no code with the signer: reads a message, and says for each set of records what its
 * signatures are worth (RFC 4035 5.3).
 */
import { createPublicKey, verify } from 'node:crypto';

export interface RawRecord {
  section: number;
  /** Wire form, in lower case. */
  name: string;
  type: number;
  ttl: number;
  data: Buffer;
}

const RRSIG = 46;

export function rawRecords(message: Buffer): RawRecord[] {
  const records: RawRecord[] = [];
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = readName(message, at).end + 4;
  for (const section of [0, 1, 2]) {
    for (let left = message.readUInt16BE(6 + 2 * section); left > 0; left--) {
      const { name, end } = readName(message, at);
      at = end + 10 + message.readUInt16BE(end + 8);
      const [type, ttl] = [message.readUInt16BE(end), message.readUInt32BE(end + 4)];
      records.push({ section, name, type, ttl, data: Buffer.from(message.subarray(end + 10, at)) });
    }
  }
  return records;
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const length = message[start] ?? 0;
  if (length >= 0xc0)
    return { name: readName(message, message.readUInt16BE(start) & 0x3fff).name, end: start + 2 };
  if (length === 0) return { name: '\0', end: start + 1 };
  const label = message.toString('latin1', start, start + 1 + length).toLowerCase();
  const rest = readName(message, start + 1 + length);
  return { name: label + rest.name, end: rest.end };
}

/** `section type` of each set, with the tags of the keys whose signatures hold at `now`. */
export function signedSets(message: Buffer, dnskeys: readonly Buffer[], now: number): Map<string, number[]> {
  const records = rawRecords(message);
  const sets = new Map<string, RawRecord[]>();
  for (const record of records.filter(({ type }) => type !== 41 && type !== RRSIG)) {
    const id = `${record.section} ${record.type} ${record.name}`;
    sets.set(id, [...(sets.get(id) ?? []), record]);
  }
  return new Map(
    [...sets.values()].flatMap((set): [string, number[]][] => {
      const [first] = set;
      if (!first) return [];
      const signatures = records.filter(
        ({ section, name, type, data }) =>
          type === RRSIG &&
          section === first.section &&
          name === first.name &&
          data.readUInt16BE(0) === first.type,
      );
      const good = signatures.filter((signature) => dnskeys.some((key) => holds(signature, set, key, now)));
      return [[`${first.section} ${first.type}`, good.map(({ data }) => data.readUInt16BE(16))]];
    }),
  );
}

function holds({ data, ttl }: RawRecord, set: readonly RawRecord[], dnskey: Buffer, now: number): boolean {
  const seconds = now / 1_000;
  const signer = readName(data, 18);
  const [expires, begins, original] = [data.readUInt32BE(8), data.readUInt32BE(12), data.readUInt32BE(4)];
  if (seconds < begins || seconds > expires || ttl > original || set.some((record) => record.ttl > original))
    return false;
  const labels = labelCount(set[0]?.name ?? '');
  if (data[2] !== 13 || data[3] !== labels || !set[0]?.name.endsWith(signer.name)) return false;
  const records = set
    .toSorted((a, b) => Buffer.compare(a.data, b.data))
    .map((record) => {
      const fixed = Buffer.alloc(10);
      fixed.writeUInt16BE(record.type, 0);
      fixed.writeUInt16BE(1, 2);
      fixed.writeUInt32BE(original, 4);
      fixed.writeUInt16BE(record.data.length, 8);
      return Buffer.concat([Buffer.from(record.name, 'latin1'), fixed, record.data]);
    });
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(dnskey, 4), y: coordinate(dnskey, 36) };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const signed = Buffer.concat([data.subarray(0, signer.end), ...records]);
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, data.subarray(signer.end));
}

function coordinate(dnskey: Buffer, at: number): string {
  return dnskey.subarray(at, at + 32).toString('base64url');
}

function labelCount(name: string): number {
  let count = 0;
  for (let at = 0; name.charCodeAt(at) > 0; at += 1 + name.charCodeAt(at)) count++;
  return count;
}

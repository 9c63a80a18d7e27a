/**
 * Signs the sets of one zone as they are answered (RFC 4034 3), with every key that the zone has. The possible answers
 * are few, so signatures are kept, and made anew long before they expire.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { ALGORITHM, dsData } from '../../contract/dns/dnskey.ts';
import { publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import { addRecords, type RecordSet, type RecordSets } from '../plan/record-sets.ts';
import { ZONE_TTL } from '../plan/zone.ts';
import { TYPE } from '../wire/constants.ts';
import { SignatureCache } from './signature-cache.ts';

const DAY_MS = 86_400_000;
const VALIDITY_MS = 14 * DAY_MS;
/** An answer is cached with its signature for up to its TTL: half the validity is left at least. */
const REFRESH_MS = 7 * DAY_MS;
/** Clocks of validators are behind ours now and then. */
const BACKDATE_MS = 3_600_000;

/** Names that do not exist are without number: they must not push out what does. */
const POSITIVE_ENTRIES = 100_000;
const NEGATIVE_ENTRIES = 2_000;

export interface ZoneSigner {
  /** What its keys add to the apex: DNSKEY, CDS, CDNSKEY. */
  sets: RecordSets;
  /** The data of the set's RRSIG records. `owner` is the name's key, see wire/name.ts. */
  signatures(owner: string, set: RecordSet, now: number): readonly Uint8Array[];
}

interface Key {
  privateKey: KeyObject;
  tag: number;
}

/** `onSign` is called for each signature that is made. */
export function createZoneSigner(zone: string, { keys }: ZoneKeys, onSign: () => void): ZoneSigner {
  const signing = keys.map(
    (key): Key => ({
      privateKey: createPrivateKey(key.privateKey),
      tag: publicPart(key).tag,
    }),
  );
  const positive = new SignatureCache(POSITIVE_ENTRIES);
  const negative = new SignatureCache(NEGATIVE_ENTRIES);
  return {
    sets: keySets(zone, keys),
    signatures(owner, set, now) {
      const data = canonicalOrder(set.data);
      const id = `${set.type} ${set.ttl} ${owner}${data.map(latin1).join('')}`;
      const cache = set.type === TYPE.NSEC ? negative : positive;
      return cache.get(id, now, () => ({
        refreshAt: now + REFRESH_MS,
        signatures: signing.map((key) => {
          onSign();
          return signature(zone, key, owner, { ...set, data }, now);
        }),
      }));
    },
  };
}

function keySets(zone: string, keys: ZoneKeys['keys']): RecordSets {
  const sets: RecordSets = new Map();
  for (const key of keys) {
    const { dnskey } = publicPart(key);
    const add = (type: number, data: Uint8Array) => addRecords(sets, { type, ttl: ZONE_TTL, data: [data] });
    add(TYPE.DNSKEY, dnskey);
    // RFC 7344 3: what the parent should take the DS from.
    if (key.announced) add(TYPE.CDS, dsData(Buffer.from(zone, 'latin1'), dnskey));
    if (key.announced) add(TYPE.CDNSKEY, dnskey);
  }
  return sets;
}

/** By their bytes (RFC 4034 6.3). */
function canonicalOrder(data: readonly Uint8Array[]): readonly Uint8Array[] {
  return data.length < 2 ? data : data.toSorted((a, b) => Buffer.compare(a, b));
}

function latin1(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
}

/** RFC 4034 3.1.8.1: over the RRSIG's own data without the signature, and each record in canonical form. */
function signature(zone: string, key: Key, owner: string, set: RecordSet, now: number): Uint8Array {
  const head = Buffer.alloc(18);
  head.writeUInt16BE(set.type, 0);
  head.writeUInt8(ALGORITHM, 2);
  head.writeUInt8(labelsOf(owner), 3);
  head.writeUInt32BE(set.ttl, 4);
  head.writeUInt32BE(Math.floor((now + VALIDITY_MS) / 1_000), 8);
  head.writeUInt32BE(Math.floor((now - BACKDATE_MS) / 1_000), 12);
  head.writeUInt16BE(key.tag, 16);
  const rrsig = Buffer.concat([head, Buffer.from(zone, 'latin1')]);
  const records = set.data.map((data) => canonicalRecord(owner, set, data));
  const signed = sign('sha256', Buffer.concat([rrsig, ...records]), {
    key: key.privateKey,
    // r and s side by side (RFC 6605 4), not DER.
    dsaEncoding: 'ieee-p1363',
  });
  return Buffer.concat([rrsig, signed]);
}

function canonicalRecord(owner: string, { type, ttl }: RecordSet, data: Uint8Array): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([Buffer.from(owner, 'latin1'), fixed, data]);
}

/** Without the root, and without a `*` in front (RFC 4034 3.1.3). */
function labelsOf(owner: string): number {
  let count = owner.startsWith('\x01*') ? -1 : 0;
  for (let at = 0; owner.charCodeAt(at) > 0; at += 1 + owner.charCodeAt(at)) count++;
  return count;
}

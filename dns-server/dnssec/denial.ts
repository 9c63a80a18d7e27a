/**
 * Proofs that something is not there: compact denial (RFC 9824). One NSEC at the very name that was asked for, reaching
 * to the next possible name, lists the types that are there; a name that does not exist has the type NXNAME alone.
 */
import type { Family } from '../plan/prepared-address.ts';
import type { NameEntry, PreparedDomain, PreparedZone } from '../plan/prepared-plan.ts';
import type { RecordSet } from '../plan/record-sets.ts';
import { negativeTtl } from '../plan/zone.ts';
import { TYPE } from '../wire/constants.ts';
import type { ZoneSigner } from './zone-signer.ts';

/** The NSEC at `key`, with what stands at `entry`; never with the type that was asked for and is not there. */
export function nsecAt(
  key: string,
  entry: NameEntry | undefined,
  signer: ZoneSigner,
  asked: number,
  ttl: number,
): RecordSet {
  const types = entry ? typesAt(entry, signer) : [TYPE.NXNAME];
  return nsec(key, [...types.filter((type) => type !== asked), TYPE.RRSIG, TYPE.NSEC], ttl);
}

/** What a referral says of the child's keys: its DS, or that there is none (RFC 4035 3.1.4). */
export function dsProof(cut: NameEntry, signer: ZoneSigner, zone: PreparedZone): RecordSet {
  return cut.sets.get(TYPE.DS) ?? nsecAt(cut.key, cut, signer, TYPE.DS, negativeTtl(zone));
}

function typesAt({ sets, domain, cut, apex }: NameEntry, signer: ZoneSigner): number[] {
  // Beside NS and DS all at a delegation is the child's (RFC 4035 2.3).
  if (cut) return [...sets.keys()].filter((type) => type === TYPE.NS || type === TYPE.DS);
  const families = familiesOf(domain);
  return [
    ...sets.keys(),
    ...(apex ? signer.sets.keys() : []),
    ...(families.has(4) ? [TYPE.A] : []),
    ...(families.has(6) ? [TYPE.AAAA] : []),
  ];
}

/** Those of its nodes, and of nodes that a timed shift brings: what some client is answered must not be denied to others. */
function familiesOf(domain: PreparedDomain | undefined): ReadonlySet<Family> {
  const sets = domain ? [domain.set, ...domain.shifts.map(({ set }) => set)] : [];
  const nodes = new Set(sets.flatMap((set) => set.nodes));
  return new Set([...nodes].flatMap(({ addresses }) => addresses.map(({ family }) => family)));
}

function nsec(key: string, types: readonly number[], ttl: number): RecordSet {
  const data = Buffer.concat([Buffer.from(successor(key), 'latin1'), typeBitmaps(types)]);
  return { type: TYPE.NSEC, ttl, data: [data] };
}

const MAX_NAME = 255;

/** The next name in canonical order: `\000` below this one (RFC 4470 3), where there is room for it. */
function successor(key: string): string {
  if (key.length + 2 <= MAX_NAME) return `\x01\x00${key}`;
  const end = key.charCodeAt(0);
  return `${key.slice(0, end)}${String.fromCharCode((key.charCodeAt(end) + 1) & 0xff)}${key.slice(end + 1)}`;
}

/** RFC 4034 4.1.2: per 256 types one window, and in it as many bytes as it needs. */
function typeBitmaps(types: readonly number[]): Buffer {
  const windows = new Map<number, number[]>();
  for (const type of [...new Set(types)].sort((a, b) => a - b)) {
    const bits = windows.get(type >> 8) ?? [];
    const at = (type & 0xff) >> 3;
    while (bits.length <= at) bits.push(0);
    bits[at] = (bits[at] ?? 0) | (0x80 >> (type & 7));
    windows.set(type >> 8, bits);
  }
  return Buffer.concat([...windows].map(([window, bits]) => Buffer.of(window, bits.length, ...bits)));
}

/**
 * An MMDB file as a source of a prefix table: its search tree is walked as it lies in the file (MaxMind DB file format
 * 2.0, "Binary Search Tree Section"), and each different record is decoded once, by `maxmind`.
 */
import { Reader, type Response } from 'maxmind';
import type { PrefixSource } from './prefix-table.ts';

/** maxmind's reader, with the step behind `get` that its types keep to themselves: a record by its place in the file. */
interface RecordReader {
  resolveDataPointer(pointer: number): unknown;
}

export interface MmdbSources {
  ipv4: PrefixSource;
  /** Nothing when the file holds IPv4 networks alone. */
  ipv6: PrefixSource | undefined;
}

/** Values are regions, or AS numbers that somebody names: few. */
const MAX_VALUES = 2 ** 16 - 1;

/** `numberOf` turns a record into a number; 0 is for what is unknown. */
export function mmdbSources(file: Buffer, numberOf: (record: unknown) => number): MmdbSources {
  const reader = new Reader<Response>(file);
  const { nodeCount, nodeByteSize, recordSize, ipVersion, searchTreeSize } = reader.metadata;
  const records = reader as unknown as RecordReader;
  /** By the place of a record in the data section: one more than its value, and 0 until it is decoded. */
  const values = new Uint16Array(file.length - searchTreeSize);
  const decode = (pointer: number): number => {
    const known = values[pointer - nodeCount] ?? 0;
    if (known !== 0) return known - 1;
    const value = numberOf(records.resolveDataPointer(pointer));
    if (value >= MAX_VALUES) throw new Error(`more than ${MAX_VALUES} different values`);
    values[pointer - nodeCount] = value + 1;
    return value;
  };
  const recordAt = RECORD_AT[recordSize];
  if (recordAt === undefined) throw new Error(`records of ${recordSize} bits are none that MMDB files have`);
  const child = (node: number, bit: 0 | 1): number => {
    const record = recordAt(file, node * nodeByteSize, bit);
    if (record < nodeCount) return record;
    return record === nodeCount ? ~0 : ~decode(record);
  };
  const root = nodeCount === 0 ? ~0 : 0;
  if (ipVersion === 4) return { ipv4: { root, child }, ipv6: undefined };
  // IPv4 networks lie in ::/96 of a tree for IPv6.
  let ipv4Root = root;
  for (let depth = 0; depth < 96 && ipv4Root >= 0; depth++) ipv4Root = child(ipv4Root, 0);
  return { ipv4: { root: ipv4Root, child }, ipv6: { root, child } };
}

type RecordAt = (file: Buffer, offset: number, side: 0 | 1) => number;

/** By the size of a record in bits. In nodes of 28 the fourth byte holds the upper halves of both. */
const RECORD_AT: Record<number, RecordAt> = {
  24: (file, offset, side) => file.readUIntBE(offset + 3 * side, 3),
  28: (file, offset, side) => {
    const shared = file[offset + 3] ?? 0;
    const upper = side === 0 ? shared >> 4 : shared & 0x0f;
    const at = offset + 4 * side;
    return (upper << 24) | ((file[at] ?? 0) << 16) | ((file[at + 1] ?? 0) << 8) | (file[at + 2] ?? 0);
  },
  32: (file, offset, side) => file.readUInt32BE(offset + 4 * side),
};

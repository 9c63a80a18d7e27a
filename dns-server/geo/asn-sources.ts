/** Who owns an address: AS numbers of MMDB and CSV files as sources of a prefix table. */
import { asnRows, ispOf } from './asn-table.ts';
import { type IpAddress, parseIp } from './ip-address.ts';
import { mmdbSources } from './mmdb-source.ts';
import { NOBODY, type PrefixSource } from './prefix-table.ts';
import { PrefixTrie } from './prefix-trie.ts';

export interface AsnData {
  databases: readonly Buffer[];
  /** CSV, `first,last,asn,name`. */
  tables: readonly string[];
}

/** `asnNumber` is 0 for an AS that nobody names: its ranges are not even kept. */
export function asnSources(
  { databases, tables }: AsnData,
  asnNumber: (asn: number) => number,
): { ipv4: PrefixSource; ipv6: PrefixSource }[] {
  const fromDatabases = databases.map((file) => {
    const { ipv4, ipv6 } = mmdbSources(file, (record) => asnNumber(ispOf(record)?.asn ?? 0));
    return { ipv4, ipv6: ipv6 ?? NOBODY };
  });
  return [...fromDatabases, ...tables.map((text) => tableSources(text, asnNumber))];
}

function tableSources(text: string, asnNumber: (asn: number) => number) {
  const tries = { 4: new PrefixTrie<number>(), 6: new PrefixTrie<number>() };
  for (const { asn, from, to } of asnRows(text)) {
    if (asnNumber(asn) === 0) continue;
    const first = parseIp(from);
    const last = parseIp(to);
    if (!first || !last || first.version !== last.version) continue;
    for (const { bytes, length } of networksOf(first, last)) tries[first.version].add(bytes, length, asn);
  }
  return { ipv4: tries[4].source(asnNumber), ipv6: tries[6].source(asnNumber) };
}

/** The networks that a range is made of, widest first wherever they fit. */
function networksOf(first: IpAddress, last: IpAddress): { bytes: Uint8Array; length: number }[] {
  const bits = first.bytes.length * 8;
  const end = toNumber(last.bytes);
  const networks: { bytes: Uint8Array; length: number }[] = [];
  for (let from = toNumber(first.bytes); from <= end; ) {
    let host = 0;
    // Twice as large for as long as it begins on its own border and stays within the range.
    while (host < bits && (from >> BigInt(host)) % 2n === 0n && from + (2n << BigInt(host)) - 1n <= end)
      host++;
    networks.push({ bytes: toBytes(from, first.bytes.length), length: bits - host });
    from += 1n << BigInt(host);
  }
  return networks;
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function toBytes(number: bigint, length: number): Uint8Array {
  return Uint8Array.from(Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex'));
}

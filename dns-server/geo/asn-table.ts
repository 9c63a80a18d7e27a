/**
 * The networks' owners: AS number and name of an address, from MMDB files and CSV files `first,last,asn,name`. Read
 * when an explanation asks; what answers depend on is compiled from the same files by asn-sources.ts.
 */
import { readFile } from 'node:fs/promises';
import maxmind, { type Response } from 'maxmind';
import { AddressRanges } from './address-ranges.ts';
import { formatIp, type IpAddress, parseIp } from './ip-address.ts';

export interface Isp {
  asn: number;
  name: string;
}

export interface AsnTable {
  find(address: IpAddress): Isp | undefined;
}

/** Reads files of either form; a name that ends in `.mmdb` is an MMDB file. The first that knows an address tells. */
export async function readAsnTable(paths: readonly string[]): Promise<AsnTable> {
  const [databases, tables] = [paths.filter(isMmdb), paths.filter((path) => !isMmdb(path))];
  const readers = await Promise.all(databases.map((path) => maxmind.open<Response>(path)));
  const table = parseAsnTable(await Promise.all(tables.map((path) => readFile(path, 'utf8'))));
  return {
    find(address) {
      for (const reader of readers) {
        if (reader.metadata.ipVersion === 4 && address.version === 6) continue;
        const isp = ispOf(reader.get(formatIp(address)));
        if (isp) return isp;
      }
      return table.find(address);
    },
  };
}

export function isMmdb(path: string): boolean {
  return path.endsWith('.mmdb');
}

/** Out of a record of GeoLite2-ASN, whose field names the flat databases share. */
export function ispOf(record: unknown): Isp | undefined {
  if (typeof record !== 'object' || record === null || !('autonomous_system_number' in record))
    return undefined;
  const asn = Number(record.autonomous_system_number);
  const name =
    'autonomous_system_organization' in record ? String(record.autonomous_system_organization) : '';
  return Number.isInteger(asn) ? { asn, name } : undefined;
}

export function parseAsnTable(texts: readonly string[]): AsnTable {
  const isps = new Map<number, Isp>();
  const ranges = { 4: new AddressRanges(4), 6: new AddressRanges(6) };
  for (const text of texts) for (const row of asnRows(text)) addRow(row, ranges, isps);
  return {
    find({ version, bytes }) {
      const asn = ranges[version].find(bytes);
      return asn === undefined ? undefined : isps.get(asn);
    },
  };
}

interface AsnRow {
  from: string;
  to: string;
  asn: number;
  /** As it stands in the file. */
  name: string;
}

/** A line that is no row is passed over: files come with headings and comments. */
export function* asnRows(text: string): Generator<AsnRow> {
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const line = text.slice(at, newline < 0 ? text.length : newline);
    at += line.length + 1;
    const [from = '', to = '', digits = ''] = line.split(',', 3);
    if (!/^\d+$/.test(digits)) continue;
    const name = line.slice(from.length + to.length + digits.length + 3).trimEnd();
    yield { from, to, asn: Number(digits), name };
  }
}

function addRow(
  { from, to, asn, name }: AsnRow,
  ranges: Record<4 | 6, AddressRanges>,
  isps: Map<number, Isp>,
): void {
  const first = parseIp(from);
  const last = parseIp(to);
  if (!first || !last || first.version !== last.version) return;
  ranges[first.version].add(first.bytes, last.bytes, asn);
  // The name stands once, however many ranges an AS has.
  if (!isps.has(asn)) isps.set(asn, { asn, name: unquoted(name) });
}

/** A field with a comma or a quote in it stands in quotes, quotes in it twice (RFC 4180 2). */
function unquoted(field: string): string {
  return /^".*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}

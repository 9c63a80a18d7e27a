/**
 * The networks' owners: AS number and name of an address, from CSV files `first,last,asn,name`. Nothing in an answer
 * depends on it, so it is read when an explanation asks.
 */
import { readFile } from 'node:fs/promises';
import { AddressRanges } from './address-ranges.ts';
import { type IpAddress, parseIp } from './ip-address.ts';

export interface Isp {
  asn: number;
  name: string;
}

export interface AsnTable {
  find(address: IpAddress): Isp | undefined;
}

export async function readAsnTable(paths: readonly string[]): Promise<AsnTable> {
  return parseAsnTable(await Promise.all(paths.map((path) => readFile(path, 'utf8'))));
}

export function parseAsnTable(texts: readonly string[]): AsnTable {
  const isps = new Map<number, Isp>();
  const ranges = { 4: new AddressRanges(4), 6: new AddressRanges(6) };
  for (const text of texts) {
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf('\n', at);
      const end = newline < 0 ? text.length : newline;
      addRow(text.slice(at, end), ranges, isps);
      at = end + 1;
    }
  }
  return {
    find({ version, bytes }) {
      const asn = ranges[version].find(bytes);
      return asn === undefined ? undefined : isps.get(asn);
    },
  };
}

/** A line that is no row is passed over: files come with headings and comments. */
function addRow(line: string, ranges: Record<4 | 6, AddressRanges>, isps: Map<number, Isp>): void {
  const [from = '', to = '', digits = ''] = line.split(',', 3);
  const first = parseIp(from);
  const last = parseIp(to);
  if (!first || !last || first.version !== last.version || !/^\d+$/.test(digits)) return;
  const asn = Number(digits);
  ranges[first.version].add(first.bytes, last.bytes, asn);
  // The name stands once, however many ranges an AS has.
  if (isps.has(asn)) return;
  const name = line.slice(from.length + to.length + digits.length + 3).trimEnd();
  isps.set(asn, { asn, name: unquoted(name) });
}

/** A field with a comma or a quote in it stands in quotes, quotes in it twice (RFC 4180 2). */
function unquoted(field: string): string {
  return /^".*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}

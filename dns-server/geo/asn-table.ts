/**
 * The networks' owners: AS number and name of an address, from CSV files `first,last,asn,name`. Nothing in an answer
 * depends on it, so it is read when an explanation first asks.
 */
import { readFile } from 'node:fs/promises';
import { type IpAddress, parseIp } from './ip-address.ts';

export interface Isp {
  asn: number;
  name: string;
}

export interface AsnTable {
  find(address: IpAddress): Isp | undefined;
}

/** Ranges of one IP version, sorted by where they begin; an address as 32-bit words, four of them for IPv6. */
interface Ranges {
  first: Uint32Array;
  last: Uint32Array;
  isp: Uint32Array;
}

export async function readAsnTable(paths: readonly string[]): Promise<AsnTable> {
  return parseAsnTable(await Promise.all(paths.map((path) => readFile(path, 'utf8'))));
}

export function parseAsnTable(texts: readonly string[]): AsnTable {
  const isps = new IspIndex();
  const rows: Record<4 | 6, Row[]> = { 4: [], 6: [] };
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const row = readRow(line, isps);
    if (row) rows[row.first.length === 1 ? 4 : 6].push(row);
  }
  const ranges = { 4: rangesOf(rows[4], 1), 6: rangesOf(rows[6], 4) };
  return {
    find: (address) => {
      const id = findRange(ranges[address.version], wordsOf(address));
      return id === undefined ? undefined : isps.at(id);
    },
  };
}

/** Words of the first and the last address, and the owner's place in the index. */
interface Row {
  first: Uint32Array;
  last: Uint32Array;
  id: number;
}

/** A line that is no row is passed over: files come with headings and comments. */
function readRow(line: string, isps: IspIndex): Row | undefined {
  const [from = '', to = '', asn = ''] = line.split(',', 3);
  const first = parseIp(from);
  const last = parseIp(to);
  if (!first || !last || first.version !== last.version || !/^\d+$/.test(asn)) return undefined;
  const rest = () => unquoted(line.slice(from.length + to.length + asn.length + 3).trimEnd());
  return { first: wordsOf(first), last: wordsOf(last), id: isps.idOf(Number(asn), rest) };
}

/** A field with a comma or a quote in it stands in quotes, quotes in it twice (RFC 4180 2). */
function unquoted(field: string): string {
  return /^".*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}

/** Names stand once, however many ranges an AS has. */
class IspIndex {
  readonly #isps: Isp[] = [];
  readonly #ids = new Map<number, number>();

  idOf(asn: number, name: () => string): number {
    const known = this.#ids.get(asn);
    if (known !== undefined) return known;
    const id = this.#isps.push({ asn, name: name() }) - 1;
    this.#ids.set(asn, id);
    return id;
  }

  at(id: number): Isp | undefined {
    return this.#isps[id];
  }
}

function rangesOf(rows: Row[], words: number): Ranges {
  rows.sort((a, b) => compareWords(a.first, 0, b.first));
  const ranges: Ranges = {
    first: new Uint32Array(rows.length * words),
    last: new Uint32Array(rows.length * words),
    isp: new Uint32Array(rows.length),
  };
  for (const [index, { first, last, id }] of rows.entries()) {
    ranges.first.set(first, index * words);
    ranges.last.set(last, index * words);
    ranges.isp[index] = id;
  }
  return ranges;
}

function wordsOf({ bytes }: IpAddress): Uint32Array {
  const words = new Uint32Array(bytes.length / 4);
  for (let at = 0; at < bytes.length; at++) {
    words[at >> 2] = ((words[at >> 2] ?? 0) << 8) | (bytes[at] ?? 0);
  }
  return words;
}

/** Compares the words at `offset` with those of one address. */
function compareWords(words: Uint32Array, offset: number, address: Uint32Array): number {
  for (let index = 0; index < address.length; index++) {
    const difference = (words[offset + index] ?? 0) - (address[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The range that begins last before the address, if it reaches that far. */
function findRange({ first, last, isp }: Ranges, address: Uint32Array): number | undefined {
  let low = 0;
  let high = isp.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareWords(first, middle * address.length, address) <= 0) low = middle + 1;
    else high = middle;
  }
  const found = low - 1;
  if (found < 0 || compareWords(last, found * address.length, address) < 0) return undefined;
  return isp[found];
}

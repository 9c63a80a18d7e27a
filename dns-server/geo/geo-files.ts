/** Reads the files that clients are placed by; one that cannot be read is told of, and the others are taken. */
import { readFile, stat } from 'node:fs/promises';
import { messageOf } from '../../lib/message-of.ts';
import { isMmdb } from './asn-table.ts';
import type { GeoData, GeoRules } from './geo-sources.ts';
import { mmdbSources } from './mmdb-source.ts';
import { type Network, parseNetworks } from './networks.ts';

export interface GeoFiles {
  /** MMDB files with places. */
  databases: readonly string[];
  /** MMDB and CSV files with AS numbers. */
  asn: readonly string[];
  /** CSV files `prefix,region,asn`. */
  networks: readonly string[];
}

export interface GeoFault {
  file: string;
  message: string;
}

export async function readGeoFiles(
  files: GeoFiles,
  rules: GeoRules,
): Promise<{ data: GeoData; faults: GeoFault[] }> {
  const faults: GeoFault[] = [];
  const regions = new Set(rules.regions.map(({ name }) => name));
  const withAsns = rules.asns.length > 0 || rules.regions.some(({ asns }) => asns.length > 0);
  const attempt = async <T>(file: string, read: () => Promise<T>): Promise<T[]> => {
    try {
      return [await read()];
    } catch (error) {
      faults.push({ file, message: messageOf(error) });
      return [];
    }
  };
  const each = async <T>(paths: readonly string[], read: (path: string) => Promise<T>): Promise<T[]> =>
    (await Promise.all(paths.map((path) => attempt(path, () => read(path))))).flat();
  // The tables of AS numbers are large, and of no use where nothing names one.
  const asn = withAsns ? files.asn : [];
  const readNetworks = async (file: string): Promise<Network[]> => {
    const { networks, faults: wrong } = parseNetworks(await readFile(file, 'utf8'), regions);
    faults.push(...wrong.slice(0, MAX_FAULTS).map((message) => ({ file, message })));
    return networks;
  };
  const [databases, asnDatabases, tables, networks] = await Promise.all([
    each(files.databases, readMmdb),
    each(asn.filter(isMmdb), readMmdb),
    each(
      asn.filter((path) => !isMmdb(path)),
      (path) => readFile(path, 'utf8'),
    ),
    each(files.networks, readNetworks),
  ]);
  return {
    data: { databases, asn: { databases: asnDatabases, tables }, networks: networks.flat() },
    faults,
  };
}

/** Told of one file: the first rows say what is wrong with the others. */
const MAX_FAULTS = 10;

async function readMmdb(path: string): Promise<Buffer> {
  const file = await readFile(path);
  // Throws on what is no MMDB file.
  mmdbSources(file, () => 0);
  return file;
}

/** Sizes and times of all files; one that is not there has none. */
export async function stampOf({ databases, asn, networks }: GeoFiles): Promise<string> {
  const stamps = await Promise.all(
    [...databases, ...asn, ...networks].map(async (file) => {
      const found = await stat(file).catch(() => undefined);
      return found ? `${found.ino} ${found.size} ${found.mtimeMs}` : 'missing';
    }),
  );
  return stamps.join('\n');
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { compiledPlaces } from './compile.ts';
import { type GeoJob, runGeoJob } from './geo-worker.ts';
import { parseIp } from './ip-address.ts';
import { remembering } from './table-cache.ts';

let folder: string;
let compiled: number;
let job: GeoJob;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-geo-'));
  compiled = 0;
  const networks = join(folder, 'networks.csv');
  await writeFile(networks, '198.51.100.0/24,here,64500\n2001:db8::/32,here,\n');
  const region = { countries: [], subdivisions: [], cidrs: [], asns: [] };
  job = {
    files: { databases: [], asn: [], networks: [networks] },
    rules: {
      regions: [
        { ...region, name: 'here' },
        { ...region, name: 'there' },
      ],
      defaultRegion: 'there',
      asns: [],
    },
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = () => join(folder, 'geo-tables.bin');
async function start(given: GeoJob = job) {
  const counting = (asked: GeoJob) => {
    compiled++;
    return runGeoJob(asked);
  };
  const { compiled: tables } = await remembering(file(), counting, silentLog)(given);
  const places = compiledPlaces(tables);
  return ['198.51.100.7', '192.0.2.1', '2001:db8::1'].map((text) => {
    const address = parseIp(text);
    return address && places.place(address).region;
  });
}

const PLACED = ['here', 'there', 'here'];

test('a second start has the tables without compiling, and they place alike', async () => {
  expect(await start()).toEqual(PLACED);
  expect(await start()).toEqual(PLACED);
  expect(compiled).toBe(1);
});

test('other rules or changed files are compiled anew', async () => {
  await start();
  await start({ ...job, rules: { ...job.rules, defaultRegion: 'here' } });
  expect(compiled).toBe(2);
  await writeFile(job.files.networks[0] ?? '', '192.0.2.0/24,here,\n');
  expect(await start()).toEqual(['there', 'here', 'there']);
  expect(compiled).toBe(3);
});

test('damaged tables are compiled anew, and replaced', async () => {
  await start();
  const bytes = await readFile(file());
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
  await writeFile(file(), bytes);
  expect(await start()).toEqual(PLACED);
  expect(await start()).toEqual(PLACED);
  expect(compiled).toBe(2);
});

import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RoutingRegion } from '../../contract/plans/routing-plan.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { mmdbOf } from '../testing/mmdb.ts';
import { compiledPlaces, compileGeo, exactPlaces } from './compile.ts';
import type { GeoData, GeoRules } from './geo-sources.ts';
import { GeoTables, LOOK_INTERVAL_MS } from './geo-tables.ts';
import { formatIp, type IpAddress, masked, parseIp } from './ip-address.ts';
import { parseNetworks } from './networks.ts';

const SEED = 20_261_122;

const ip = (text: string): IpAddress => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
};

function region(name: string, members: Partial<RoutingRegion> = {}): RoutingRegion {
  return { name, countries: [], subdivisions: [], asns: [], cidrs: [], ...members };
}

const RULES: GeoRules = {
  regions: [
    region('central', { countries: ['CN'] }),
    region('north', { subdivisions: ['CN-BJ', 'CN-TJ'], cidrs: ['10.1.0.0/16', '2001:db8:f::/48'] }),
    region('telecom', { asns: [4134] }),
    region('west', { countries: ['US'], cidrs: ['10.1.2.0/24'] }),
  ],
  defaultRegion: 'west',
  asns: [4837],
};

const flat = (country: string, state = '') => ({ country_code: country, state1: state });

const DATA: GeoData = {
  databases: [
    mmdbOf({
      '60.0.0.0/9': flat('CN', 'Henan'),
      '60.128.0.0/10': flat('CN', 'Beijing'),
      '60.192.0.0/10': flat('CN', 'Tianjin'),
      '61.0.0.0/8': flat('CN', 'Beijing'),
      '8.0.0.0/9': flat('US'),
      '240e::/20': flat('CN', 'Beijing'),
    }),
    mmdbOf({ '60.0.0.0/8': flat('US'), '9.0.0.0/8': flat('CN') }),
  ],
  asn: {
    databases: [mmdbOf({ '61.4.0.0/16': { autonomous_system_number: 4837 } })],
    tables: [
      '60.0.1.0,60.0.2.255,4134,Chinanet\n60.0.4.0,60.0.4.255,4837,Unicom\n61.4.0.0,61.4.255.255,4134,Chinanet\n',
      '240e:1::,240e:1:ffff:ffff:ffff:ffff:ffff:ffff,4134,Chinanet\n9.0.0.0,9.0.0.255,7,Nobody\n',
    ],
  },
  networks: [
    { cidr: '60.0.1.128/25', region: 'north', asn: undefined },
    { cidr: '60.0.2.0/25', region: undefined, asn: 4837 },
    { cidr: '60.0.2.128/25', region: undefined, asn: 65_000 },
  ],
};

const places = compiledPlaces(compileGeo(DATA, RULES));
const place = (text: string) => {
  const { region, asn, length } = places.place(ip(text));
  return [region, asn, length];
};

describe('compiled tables', () => {
  test.each<[string, string, string, number | undefined, number]>([
    ['the longest network', '10.1.2.9', 'west', undefined, 24],
    ['a shorter network', '10.1.3.9', 'north', undefined, 24],
    ['a network before the owner', '60.0.1.200', 'north', 4134, 25],
    ['the owner before the place', '60.0.1.1', 'telecom', 4134, 25],
    ['an owner of one’s own', '60.0.2.1', 'central', 4837, 25],
    ['an owner of one’s own that nobody names', '60.0.2.200', 'central', undefined, 25],
    ['an owner that nodes name', '60.0.4.1', 'central', 4837, 24],
    ['the first table that knows the owner', '61.4.0.1', 'north', 4837, 16],
    ['a subdivision', '61.0.0.1', 'north', undefined, 14],
    ['the first database that knows the place', '60.1.0.1', 'central', undefined, 16],
    ['the second database', '9.0.0.1', 'central', undefined, 8],
    ['nothing but the default', '192.0.2.1', 'west', undefined, 1],
    ['IPv6 by network', '2001:db8:f::1', 'north', undefined, 48],
    ['IPv6 by owner', '240e:1::1', 'telecom', 4134, 32],
    ['IPv6 by place', '240e:2::1', 'north', undefined, 31],
  ])('place by %s', (_, address, name, asn, length) => {
    expect(place(address)).toEqual([name, asn, length]);
  });

  test('take neighbours with one result for one, so that scopes are wide', () => {
    // Beijing and Tianjin are two networks of the database, and one region.
    expect([place('60.130.0.1'), place('60.200.0.1')]).toEqual([
      ['north', undefined, 9],
      ['north', undefined, 9],
    ]);
  });

  test('are as wide as can be: all in the prefix are placed alike, and its other half is not', () => {
    const near = fc.constantFrom(
      '60.0.0.0',
      '60.0.1.0',
      '60.0.2.128',
      '60.192.0.0',
      '61.4.0.0',
      '10.1.2.0',
      '8.0.0.0',
    );
    fc.assert(
      fc.property(near, fc.nat(2 ** 32 - 1), fc.integer({ min: 0, max: 32 }), (base, noise, keep) => {
        const random = ip([24, 16, 8, 0].map((shift) => (noise >>> shift) & 255).join('.'));
        const address = { version: 4 as const, bytes: mixed(ip(base), random, keep) };
        const { region: name, asn, length } = places.place(address);
        const inside = { version: 4 as const, bytes: mixed(address, random, length) };
        expect(places.place(inside)).toEqual({ region: name, asn, length });
        expect(exactPlaces(DATA, RULES).place(address)).toEqual({ region: name, asn, length });
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('are known alike without compiling', () => {
    const exact = exactPlaces(DATA, RULES);
    for (const address of ['240e:1::1', '240e:2::1', '2001:db8:f::1', '::1', 'ffff::']) {
      expect([address, exact.place(ip(address))]).toEqual([address, places.place(ip(address))]);
    }
  });
});

/** The first `keep` bits of one address, the rest of another. */
function mixed(a: IpAddress, b: IpAddress, keep: number): Uint8Array {
  const kept = masked(a, keep).bytes;
  const rest = masked(b, keep).bytes;
  return kept.map((byte, at) => byte | ((b.bytes[at] ?? 0) ^ (rest[at] ?? 0)));
}

test('where there are no regions a client’s spot stands for it', () => {
  const data: GeoData = {
    ...DATA,
    networks: [],
    databases: [mmdbOf({ '60.0.0.0/8': { country_code: 'CN', latitude: 34, longitude: 113 } })],
  };
  const spots = compiledPlaces(compileGeo(data, { regions: [], defaultRegion: '', asns: [] }));
  expect(spots.place(ip('60.1.2.3'))).toEqual({ region: '@34,113', asn: undefined, length: 8 });
  expect(spots.place(ip('192.0.2.1')).region).toBe('');
});

test('a file of networks is taken row by row, and says what is wrong with a row', () => {
  const { networks, faults } = parseNetworks(
    'prefix,region,asn\n# ours\n10.0.0.0/8,north,\n\n2001:db8::/32,,4837\n10.0.0.0/40,north,\n10.0.0.0/8,south,\n10.0.0.0/8,,x\n',
    new Set(['north', 'west']),
  );
  expect(networks).toEqual([
    { cidr: '10.0.0.0/8', region: 'north', asn: undefined },
    { cidr: '2001:db8::/32', region: undefined, asn: 4837 },
  ]);
  expect(faults).toEqual([
    'line 6: 10.0.0.0/40 is no network, such as 192.0.2.0/24',
    'line 7: south is none of the regions: north, west',
    'line 8: x is no AS number, such as 4837',
  ]);
});

describe('tables that follow their files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-geo-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('are compiled anew when a file changed, and stay when it can not be read', async () => {
    const file = join(folder, 'places.mmdb');
    const write = async (content: Buffer | string, second: number) => {
      await writeFile(file, content);
      await utimes(file, second, second);
    };
    await write(mmdbOf({ '60.0.0.0/8': flat('CN') }), 1);
    const clock = new FakeClock();
    const faults: number[] = [];
    const tables = new GeoTables({
      files: { databases: [file], asn: [], networks: [] },
      clock,
      log: silentLog,
      onCompiled: (outcome) => void faults.push(outcome.faults),
    });
    const rules = { ...RULES, asns: [] };
    const regionOf = (compiled: Parameters<typeof compiledPlaces>[0]) =>
      compiledPlaces(compiled).place(ip('60.1.2.3')).region;
    const held = await tables.for(rules);
    expect(regionOf(held)).toBe('central');
    expect(await tables.for({ ...rules })).toBe(held);

    const changes: string[] = [];
    tables.follow(
      () => rules,
      (compiled) => void changes.push(regionOf(compiled)),
    );
    /** A file is read once it stood still between two looks; looks that find nothing new do nothing. */
    const lookUntil = (check: () => void) =>
      eventually(() => {
        clock.advance(LOOK_INTERVAL_MS);
        check();
      });
    await write('half a file', 2);
    await lookUntil(() => expect(faults).toEqual([0, 1]));
    expect(changes).toEqual([]);
    await write(mmdbOf({ '60.0.0.0/8': flat('US') }), 3);
    await lookUntil(() => expect(changes).toEqual(['west']));
    expect(regionOf(await tables.for(rules))).toBe('west');
    tables.stop();
  }, 15_000);
});

test('leaves of an IPv6 table reach as deep as addresses do', () => {
  const one = compiledPlaces(
    compileGeo(
      { databases: [], asn: { databases: [], tables: [] }, networks: [] },
      { ...RULES, asns: [], regions: [region('north', { cidrs: ['2001:db8::1/128'] }), region('west')] },
    ),
  );
  expect(one.place(ip('2001:db8::1'))).toEqual({ region: 'north', asn: undefined, length: 128 });
  expect(formatIp(ip('2001:db8::'))).toBe('2001:db8:0:0:0:0:0:0');
  expect(one.place(ip('2001:db8::'))).toEqual({ region: 'west', asn: undefined, length: 128 });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mmdbOf } from '../testing/mmdb.ts';
import { type AsnTable, parseAsnTable } from './asn-table.ts';
import { embeddedGeoDatabases } from './embedded-data.ts';
import { type GeoDatabase, geoDatabase, openGeoDatabase } from './geo-database.ts';
import { formatIp, type IpAddress, masked, parseIp, unmapped } from './ip-address.ts';
import { placeOf } from './place.ts';
import { PrefixTrie } from './prefix-trie.ts';
import { subdivisionCode } from './subdivision-codes.ts';

const SEED = 20_261_122;

const ip = (text: string): IpAddress => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
};

describe('addresses', () => {
  test('are read as another implementation reads them, and written so that it reads the same', () => {
    fc.assert(
      // ipaddr.js takes ::192.0.2.1 for ::ffff:192.0.2.1, which is another address (RFC 4291 2.5.5).
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6().filter((text) => !/^::\d+\./.test(text)),
        ),
        (text) => {
          const bytes = ipaddr.parse(text).toByteArray();
          expect([...ip(text).bytes]).toEqual(bytes);
          expect(ipaddr.parse(formatIp(ip(text))).toByteArray()).toEqual(bytes);
        },
      ),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', 'example.com', '::g', '1.2.3.4/8'])(
    '%j is none',
    (text) => {
      expect(parseIp(text)).toBeUndefined();
    },
  );

  test('that are mapped into IPv6 are IPv4, and no others are', () => {
    expect(formatIp(unmapped(ip('::ffff:192.0.2.1')))).toBe('192.0.2.1');
    expect(unmapped(ip('::fffe:192.0.2.1')).version).toBe(6);
    expect(unmapped(ip('1::ffff:192.0.2.1')).version).toBe(6);
  });

  test('are cut to a prefix', () => {
    expect(formatIp(masked(ip('202.102.239.68'), 20))).toBe('202.102.224.0');
    expect(formatIp(masked(ip('255.255.255.255'), 0))).toBe('0.0.0.0');
    expect(formatIp(masked(ip('2001:db8:ffff::1'), 33))).toBe('2001:db8:8000:0:0:0:0:0');
  });
});

test('the longest network matches, and all within the depth match alike', () => {
  const network = fc.record({
    bytes: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => bytes.map((byte) => byte & 0x83)),
    length: fc.integer({ min: 0, max: 32 }),
  });
  fc.assert(
    fc.property(
      fc.array(network, { maxLength: 20 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      (networks, noise) => {
        const cut = networks.map(({ bytes, length }) => ({
          length,
          bytes: masked({ version: 4, bytes }, length).bytes,
        }));
        const trie = new PrefixTrie<number>();
        for (const [index, { bytes, length }] of cut.entries()) trie.add(bytes, length, index);
        const address = noise.map((byte) => byte & 0x83);
        const within = (bytes: Uint8Array, index: number) => {
          const { length, bytes: wanted } = cut[index] ?? { length: 0, bytes };
          return masked({ version: 4, bytes }, length).bytes.every((byte, at) => byte === wanted[at]);
        };
        const best = Math.max(
          0,
          ...cut.flatMap(({ length }, index) => (within(address, index) ? length : [])),
        );
        const { value, length, depth } = trie.match(address);
        expect(length).toBe(best);
        expect(value === undefined).toBe(!cut.some((_, index) => within(address, index)));
        const kept = masked({ version: 4, bytes: address }, depth).bytes;
        const other = kept.map(
          (byte, at) =>
            byte |
            (~(masked({ version: 4, bytes: Uint8Array.of(255, 255, 255, 255) }, depth).bytes[at] ?? 0) &
              (noise[3 - at] ?? 0)),
        );
        expect(trie.match(Uint8Array.from(other)).value).toBe(value);
      },
    ),
    { seed: SEED, numRuns: 1_000 },
  );
});

describe('the database that comes along', () => {
  let geo: GeoDatabase;
  beforeAll(async () => {
    geo = await openGeoDatabase(embeddedGeoDatabases(), (fault) => {
      throw fault;
    });
  });

  test.each([
    ['202.102.224.68', 'CN', 'CN-HA', 'Zhengzhou'],
    ['223.5.5.5', 'CN', 'CN-ZJ', 'Hangzhou'],
    ['61.128.128.68', 'CN', 'CN-CQ', undefined],
    ['221.131.143.69', 'CN', 'CN-JS', undefined],
    ['8.8.8.8', 'US', 'US-CA', undefined],
    ['240e::1', 'CN', 'CN-BJ', undefined],
    ['2408:8000::1', 'CN', 'CN-BJ', undefined],
  ])('knows %s in %s, %s', (address, country, subdivision, city) => {
    const { place, length } = geo.locate(ip(address));
    expect(place).toMatchObject({ country, subdivision, ...(city && { city }) });
    expect(length).toBeGreaterThan(8);
  });

  test('knows nobody in a network of nobody', () => {
    expect(geo.locate(ip('127.0.0.1')).place).toBeUndefined();
  });

  // Every name that its two files give to mainland subdivisions in November 2026.
  test.each(
    'Anhui Beijing Chongqing Fujian Gansu Guangdong Guangxi Guizhou Hainan Hebei Heilongjiang Henan Hubei Hunan Inner_Mongolia Jiangsu Jiangxi Jilin Liaoning Ningxia Qinghai Shaanxi Shandong Shanghai Shanxi Sichuan Tianjin Tibet Xinjiang Yunnan Zhejiang'
      .split(' ')
      .map((name) => name.replace('_', ' ')),
  )('has a code for %s', (name) => {
    expect(subdivisionCode('CN', name)).toMatch(/^CN-[A-Z]{2}$/);
  });
});

describe('names of subdivisions', () => {
  test.each([
    ['CN', 'Shanxi', 'CN-SX'],
    ['CN', 'Shaanxi', 'CN-SN'],
    ['CN', 'Hunan Province', 'CN-HN'],
    ['CN', 'Guangxi Zhuangzu Zizhiqu', 'CN-GX'],
    ['CN', 'Xinjiang Uygur Autonomous Region', 'CN-XJ'],
    ['CA', 'Québec', 'CA-QC'],
    ['US', 'District of Columbia', 'US-DC'],
    ['US', 'Henan', undefined],
    ['DE', 'Berlin', undefined],
  ])('%s %s is %s', (country, name, code) => {
    expect(subdivisionCode(country, name)).toBe(code);
  });
});

describe('records', () => {
  test.each([
    [
      { country_code: 'CN', state1: 'Henan', city: 'Zhengzhou' },
      { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' },
    ],
    [{ country_code: 'HK', state1: 'Kowloon', city: '' }, { country: 'HK' }],
    [{ country_code: '', state1: '' }, undefined],
    [
      {
        country: { iso_code: 'CN' },
        subdivisions: [{ iso_code: 'HA' }],
        city: { names: { en: 'Zhengzhou' } },
      },
      { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' },
    ],
    [{ registered_country: { iso_code: 'US' } }, { country: 'US' }],
    [{ country: { iso_code: 7 }, subdivisions: 'x' }, undefined],
    [null, undefined],
  ])('%j is read as %j', (record, place) => {
    expect(placeOf(record)).toEqual(place);
  });
});

describe('a database in the GeoIP2 schema', () => {
  let folder: string;
  let geo: GeoDatabase;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-geo-'));
    const path = join(folder, 'geoip2.mmdb');
    const place = (country: string, ...codes: string[]) => ({
      country: { iso_code: country },
      subdivisions: codes.map((code) => ({ iso_code: code })),
      city: { names: { en: 'Testville' } },
    });
    await writeFile(
      path,
      mmdbOf({
        '202.102.0.0/16': place('CN', 'HA'),
        '8.0.0.0/9': place('US'),
        '240e::/20': place('CN', 'BJ'),
      }),
    );
    geo = await openGeoDatabase([path], (fault) => {
      throw fault;
    });
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each([
    ['202.102.224.68', { country: 'CN', subdivision: 'CN-HA', city: 'Testville' }, 16],
    ['8.8.8.8', { country: 'US', city: 'Testville' }, 9],
    ['240e:1::', { country: 'CN', subdivision: 'CN-BJ', city: 'Testville' }, 20],
    // The bit in which each of these parts from the networks above.
    ['202.103.0.1', undefined, 16],
    ['8.128.0.1', undefined, 9],
    ['192.0.2.1', undefined, 5],
    ['2001:db8::', undefined, 6],
  ])('knows %s as %j by %i bits', (address, place, length) => {
    expect(geo.locate(ip(address))).toEqual({ place, length });
  });
});

test('of two databases the first that knows tells, and the length holds for both', () => {
  const reader = (ipVersion: number, country: string | undefined, bits: number) => ({
    metadata: { ipVersion },
    getWithPrefixLength: (): [{ country_code: string } | null, number] => {
      return [country === undefined ? null : { country_code: country }, bits];
    },
  });
  const locate = (...readers: ReturnType<typeof reader>[]) => {
    const database = geoDatabase(readers as unknown as Parameters<typeof geoDatabase>[0]);
    return (address: IpAddress) => database.locate(address);
  };
  expect(locate(reader(4, undefined, 20), reader(6, 'CN', 16))(ip('1.2.3.4'))).toEqual({
    place: { country: 'CN' },
    length: 20,
  });
  expect(locate(reader(4, 'US', 20), reader(6, 'CN', 16))(ip('1.2.3.4')).place).toEqual({ country: 'US' });
  expect(locate(reader(4, 'US', 20), reader(6, 'CN', 30))(ip('240e::1'))).toEqual({
    place: { country: 'CN' },
    length: 30,
  });
});

test('a database that can not be read is named, and the others go on', async () => {
  const faults: Error[] = [];
  const geo = await openGeoDatabase(['/nowhere/x.mmdb'], (fault) => faults.push(fault));
  expect(faults.map(({ message }) => message)).toEqual([
    expect.stringContaining('cannot read the geo database /nowhere/x.mmdb: ENOENT'),
  ]);
  expect(geo.locate(ip('8.8.8.8'))).toEqual({ place: undefined, length: 0 });
});

describe('the table of AS numbers', () => {
  const table: AsnTable = parseAsnTable([
    'first,last,asn,name\n',
    '9.0.0.0,9.255.255.255,9,Nine\n1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."\n1.0.1.0,1.0.2.255,7,"A ""B"" C"\r\n',
    '2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64496,Docs\nnonsense\n',
  ]);

  test.each([
    ['1.0.0.0', { asn: 13_335, name: 'Cloudflare, Inc.' }],
    ['1.0.0.255', { asn: 13_335, name: 'Cloudflare, Inc.' }],
    ['1.0.2.0', { asn: 7, name: 'A "B" C' }],
    ['9.1.1.1', { asn: 9, name: 'Nine' }],
    ['1.0.3.0', undefined],
    ['0.0.0.1', undefined],
    ['255.0.0.1', undefined],
    ['2001:db8:1::', { asn: 64_496, name: 'Docs' }],
    ['2001:db9::', undefined],
  ])('%s is of %j', (address, isp) => {
    expect(table.find(ip(address))).toEqual(isp);
  });
});

import { describe, expect, test, vi } from 'vitest';
import { dsData, dsText } from '../../contract/dns/dnskey.ts';
import { newZoneKey, publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import type {
  CandidateSet,
  RoutingNode,
  RoutingPlan,
  RoutingZone,
} from '../../contract/plans/routing-plan.ts';
import { createView } from '../answer/view.ts';
import { preparePlan } from '../plan/prepare.ts';
import { answering, planWithRecords } from '../testing/answering.ts';
import { decode, optOf, queryBytes } from '../testing/ask.ts';
import { TEST_NOW } from '../testing/responder.ts';
import { published, readyTable, testDomain, testNode } from '../testing/routing-plan.ts';
import { rawRecords, signedSets } from '../testing/verify-signatures.ts';
import { wireOfName } from '../wire/name.ts';
import { Signers } from './signers.ts';

const ZONE = 'cdn.example.net';
const KEYS: ZoneKeys = { zone: ZONE, keys: [newZoneKey(TEST_NOW, true)] };
const DAY_MS = 86_400_000;

const RECORDS = [
  'www A 192.0.2.7',
  'www A 192.0.2.8',
  'alias CNAME www',
  'nowhere-to CNAME nowhere',
  '*.wild TXT any',
  'sub NS ns.sub.cdn.example.net.',
  'ns.sub A 192.0.2.54',
  'safe NS ns.example.org.',
  `safe DS 4711 13 2 ${'AB'.repeat(32)}`,
  'old DNAME new.cdn.example.net.',
  'a.new A 192.0.2.70',
  'mail MX 10 www',
  'mail-of-sub MX 10 ns.sub.cdn.example.net.',
];

/** Unsigned; the zone around it has no records of it. */
const INNER = { ...planWithRecords([]).zones[0], name: `inner.${ZONE}` } as RoutingZone;

function signed(keys = KEYS, changes: Partial<RoutingPlan> = {}) {
  const plan = { ...planWithRecords(RECORDS), ...changes };
  const onSign = vi.fn<() => void>();
  const signers = new Signers(onSign);
  signers.use([keys]);
  const zones = plan.zones.map((zone) => ({ ...zone, dnssec: true }));
  const { send } = answering({ ...plan, zones: [...zones, INNER] }, { signers: signers.byZone });
  const dnskeys = keys.keys.map((key) => publicPart(key).dnskey);
  const ask = (name: string, type = 'A', { flags = 0x8000, now = TEST_NOW, source = '8.8.8.8' } = {}) => {
    const { bytes } = send(queryBytes(name, { type, edns: { flags } }), { transport: 'tcp', now, source });
    return { bytes, packet: decode(bytes), sets: signedSets(bytes, dnskeys, now) };
  };
  return { ask, send, onSign, tags: keys.keys.map((key) => publicPart(key).tag) };
}

const { ask, send, tags } = signed();
const [TAG] = tags;

/** Types by their numbers: `section type`, answer 0, authority 1. */
describe('every set is signed by the zone’s key', () => {
  test.each([
    [ZONE, 'SOA', ['0 6']],
    [ZONE, 'NS', ['0 2', '2 1', '2 28']],
    [ZONE, 'DNSKEY', ['0 48']],
    [ZONE, 'ANY', ['0 13']],
    [`www.${ZONE}`, 'A', ['0 1']],
    [`mail.${ZONE}`, 'MX', ['0 15', '2 1']],
    [`alias.${ZONE}`, 'A', ['0 5', '0 1']],
    [`x.y.wild.${ZONE}`, 'TXT', ['0 16']],
    [`video.demo.${ZONE}`, 'A', ['0 1']],
    [`video.demo.${ZONE}`, 'AAAA', ['0 28']],
    [`www.${ZONE}`, 'TXT', ['1 6', '1 47']],
    [`nowhere.${ZONE}`, 'A', ['1 6', '1 47']],
    [`nowhere-to.${ZONE}`, 'A', ['0 5', '1 6', '1 47']],
    [`demo.${ZONE}`, 'A', ['1 6', '1 47']],
    [`www.${ZONE}`, 'NSEC', ['0 47']],
    [`safe.${ZONE}`, 'DS', ['0 43']],
  ])('%s %s', (name, type, sets) => {
    expect(ask(name, type).sets).toEqual(new Map(sets.map((set) => [set, [TAG]])));
  });

  test('but what is the child’s, or follows from a DNAME', () => {
    expect(ask(`x.sub.${ZONE}`).sets).toEqual(
      new Map([
        ['1 2', []],
        ['1 47', [TAG]],
        ['2 1', []],
      ]),
    );
    expect(ask(`mail-of-sub.${ZONE}`, 'MX').sets).toEqual(
      new Map([
        ['0 15', [TAG]],
        ['2 1', []],
      ]),
    );
    expect(ask(`x.safe.${ZONE}`).sets).toEqual(
      new Map([
        ['1 2', []],
        ['1 43', [TAG]],
      ]),
    );
    expect(ask(`a.old.${ZONE}`).sets).toEqual(
      new Map([
        ['0 39', [TAG]],
        ['0 5', []],
        ['0 1', [TAG]],
      ]),
    );
  });

  test('nothing is signed for who does not ask, and the keys are there for all', () => {
    for (const [name, type] of [
      [`www.${ZONE}`, 'A'],
      [`nowhere.${ZONE}`, 'A'],
      [ZONE, 'DNSKEY'],
    ] as const) {
      const { packet, bytes } = ask(name, type, { flags: 0 });
      expect(rawRecords(bytes).filter(({ type: record }) => record === 46 || record === 47)).toEqual([]);
      expect(packet.rcode).toBe(name.startsWith('nowhere') ? 'NXDOMAIN' : 'NOERROR');
    }
    expect(ask(ZONE, 'DNSKEY', { flags: 0 }).packet.answers).toHaveLength(1);
  });
});

describe('compact denial (RFC 9824)', () => {
  const nsecOf = (name: string, type = 'A', options = {}, asking = ask) => {
    const { bytes } = asking(name, type, options);
    const record = rawRecords(bytes).find(({ type: number }) => number === 47);
    if (!record) throw new Error('no NSEC');
    const next = `\x01\x00${record.name}`;
    expect(record.data.toString('latin1', 0, next.length)).toBe(next);
    return { owner: record.name, types: typesIn(record.data.subarray(next.length)) };
  };

  test('a name that does not exist has NXNAME alone, and the code is NOERROR', () => {
    expect(nsecOf(`nowhere.${ZONE}`)).toEqual({
      owner: wireOfName(`nowhere.${ZONE}`).toString('latin1'),
      types: [46, 47, 128],
    });
    expect(ask(`nowhere.${ZONE}`).packet.rcode).toBe('NOERROR');
  });

  test('the code is NXDOMAIN for who sets CO, which comes back', () => {
    const { packet } = ask(`nowhere.${ZONE}`, 'A', { flags: 0xc000 });
    expect([packet.rcode, optOf(packet) as { flags?: number } | undefined]).toMatchObject([
      'NXDOMAIN',
      { flags: 0xc000 },
    ]);
  });

  test.each<[string, string, number[]]>([
    [`www.${ZONE}`, 'TXT', [1, 46, 47]],
    [`demo.${ZONE}`, 'A', [46, 47]],
    [`video.demo.${ZONE}`, 'TXT', [1, 28, 46, 47]],
    [`x.wild.${ZONE}`, 'A', [16, 46, 47]],
    [ZONE, 'A', [2, 6, 46, 47, 48, 59, 60]],
    [`x.sub.${ZONE}`, 'A', [2, 46, 47]],
    [`sub.${ZONE}`, 'DS', [2, 46, 47]],
    // Without NS it would be no delegation, and the zone bogus (RFC 6840 4.4).
    [INNER.name, 'DS', [2, 46, 47]],
  ])('%s %s is denied with what else is there', (name, type, types) => {
    expect(nsecOf(name, type).types).toEqual(types);
  });

  test('a family that a timed shift brings is not denied (RFC 8198)', () => {
    const [a, b] = ['198.51.100.1', '2001:db8::b'].map((address, index) =>
      testNode(`n-${index}`, 'us-west', { addresses: [address] }),
    ) as [RoutingNode, RoutingNode];
    const setOf = ({ name, region }: RoutingNode, id: string): CandidateSet => ({
      id,
      regions: [{ region, tiers: [{ by: 'Region', name: region, nodes: [name] }] }],
    });
    const shift = { set: 'other', start: 0, percent: 100, from: 0, until: 1 };
    const shifted = signed(KEYS, {
      nodes: [a, b],
      candidateSets: [setOf(a, 'all'), setOf(b, 'other')],
      domains: [testDomain({ shifts: [shift] })],
    });
    expect(shifted.ask(`video.demo.${ZONE}`, 'AAAA').packet.answers).toHaveLength(2);
    expect(nsecOf(`video.demo.${ZONE}`, 'TXT', {}, shifted.ask).types).toEqual([1, 28, 46, 47]);
  });

  test('NXNAME itself cannot be asked for', () => {
    const query = queryBytes(`www.${ZONE}`, { edns: {} });
    query.writeUInt16BE(128, query.indexOf(Buffer.from([0, 0, 1, 0, 1])) + 1);
    const packet = decode(send(query).bytes);
    expect([packet.rcode, optOf(packet)?.options[0]?.data?.toString('hex')]).toEqual(['FORMERR', '001e']);
  });
});

function typesIn(bitmaps: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at < bitmaps.length; at += 2 + (bitmaps[at + 1] ?? 0)) {
    for (let bit = 0; bit < (bitmaps[at + 1] ?? 0) * 8; bit++) {
      if (((bitmaps[at + 2 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1)
        types.push((bitmaps[at] ?? 0) * 256 + bit);
    }
  }
  return types;
}

test('CDS and CDNSKEY say what the parent should have (RFC 7344)', () => {
  const { dnskey, tag } = publicPart(KEYS.keys[0] ?? newZoneKey(0, true));
  const data = (type: string) => rawRecords(ask(ZONE, type).bytes).find(({ section }) => section === 0)?.data;
  expect(data('CDS')).toEqual(dsData(wireOfName(ZONE), dnskey));
  expect(data('CDNSKEY')).toEqual(dnskey);
  expect(dsText(dsData(wireOfName(ZONE), dnskey))).toMatch(new RegExp(`^${tag} 13 2 [0-9A-F]{64}$`));
});

test('in a rollover both keys sign all, and only the announced one stands in CDS', () => {
  const both = signed({ ...KEYS, keys: [...KEYS.keys, newZoneKey(TEST_NOW, false)] });
  expect(both.ask(`www.${ZONE}`).sets.get('0 1')).toEqual(both.tags);
  expect(both.ask(ZONE, 'DNSKEY').packet.answers).toHaveLength(4);
  expect(rawRecords(both.ask(ZONE, 'CDS').bytes).filter(({ type }) => type === 59)).toHaveLength(1);
});

test('an answer is signed once, and again long before its signature expires', () => {
  const { ask: askAgain, onSign } = signed();
  const at = (days: number) =>
    askAgain(`www.${ZONE}`, 'A', { now: TEST_NOW + days * DAY_MS }).sets.get('0 1');
  for (const days of [0, 0.5, 6.9]) expect(at(days)).toHaveLength(1);
  expect(onSign).toHaveBeenCalledTimes(1);
  for (const days of [7.1, 13, 14.5, 200]) expect(at(days)).toHaveLength(1);
  expect(onSign).toHaveBeenCalledTimes(4);
});

test('a TTL that is lowered towards a change of health needs no other signature, and is valid', () => {
  const plan = planWithRecords(RECORDS);
  const signedPlan = { ...plan, zones: plan.zones.map((zone) => ({ ...zone, dnssec: true })) };
  const onSign = vi.fn<() => void>();
  const signers = new Signers(onSign);
  signers.use([KEYS]);
  const video = (turnMs: number) => {
    const health = plan.nodes.map(({ name, addresses }) => ({
      node: name,
      addresses: addresses.map((address) => ({ address, healthy: true, detail: '', turnMs })),
    }));
    const view = createView(preparePlan(published(signedPlan)), readyTable(plan), health);
    const responding = answering(signedPlan, { view, signers: signers.byZone });
    const { bytes } = responding.send(queryBytes(`video.demo.${ZONE}`, { edns: { flags: 0x8000 } }));
    const records = rawRecords(bytes).filter(({ section }) => section === 0);
    const keys = KEYS.keys.map((key) => publicPart(key).dnskey);
    return {
      ttls: [...new Set(records.map(({ type, ttl }) => `${type} ${ttl}`))],
      // RFC 4034 3.1.4: the TTL that was signed, by which a validator checks the records.
      original: records.filter(({ type }) => type === 46).map(({ data }) => data.readUInt32BE(4)),
      sets: signedSets(bytes, keys, TEST_NOW),
    };
  };
  const sets = new Map([['0 1', [TAG]]]);
  expect(video(100_000)).toEqual({ ttls: ['1 60', '46 60'], original: [60], sets });
  expect(video(41_000)).toEqual({ ttls: ['1 41', '46 41'], original: [60], sets });
  expect(video(1_000)).toEqual({ ttls: ['1 30', '46 30'], original: [60], sets });
  expect(onSign).toHaveBeenCalledTimes(1);
});

test('a zone whose key is not there is answered unsigned', () => {
  const plan = planWithRecords(RECORDS);
  const { send: sendUnsigned } = answering({
    ...plan,
    zones: plan.zones.map((zone) => ({ ...zone, dnssec: true })),
  });
  const { bytes } = sendUnsigned(queryBytes(`www.${ZONE}`, { edns: { flags: 0x8000 } }));
  expect(rawRecords(bytes).map(({ type }) => type)).toEqual([1, 1, 41]);
});

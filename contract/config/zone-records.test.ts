import { expect, test } from 'vitest';
import { recordProblems, type ZoneRecord, zoneRecord } from './zone-records.ts';

const record = (name: string, type: ZoneRecord['type'], data: string, ttl = '1h'): ZoneRecord =>
  zoneRecord.parse({ name, type, data, ttl });
const problems = (...records: ZoneRecord[]) =>
  recordProblems('cdn.example.net', records).map(({ path, message }) => `${path.join('.')}: ${message}`);

test('records of all kinds can stand beside each other', () => {
  const all = [
    record('@', 'A', '192.0.2.1'),
    record('@', 'A', '192.0.2.2'),
    record('@', 'TXT', 'text'),
    record('www', 'CNAME', '@'),
    record('*.apps', 'A', '192.0.2.3'),
    record('sub', 'NS', 'ns.example.org.'),
    record('sub', 'DS', `1 13 2 ${'00'.repeat(32)}`),
    record('old', 'DNAME', 'new'),
    record('old', 'TXT', 'text'),
    record('_sip._tcp', 'SRV', '0 0 1 www'),
  ];
  expect(problems(...all)).toEqual([]);
});

const A = () => record('www', 'A', '192.0.2.1');

test.each<[string, ZoneRecord[], string]>([
  ['data that is none', [record('www', 'A', 'x')], '0.data: an IPv4 address, such as 192.0.2.1'],
  [
    'a CNAME beside another type',
    [A(), record('www', 'CNAME', 'a')],
    '1.type: a CNAME stands alone at its name',
  ],
  [
    'a second CNAME',
    [record('www', 'CNAME', 'a'), record('www', 'CNAME', 'b')],
    '1.type: a CNAME stands alone at its name',
  ],
  ['a CNAME at the zone', [record('@', 'CNAME', 'a')], '0.type: no CNAME at the zone itself'],
  ['NS at the zone', [record('@', 'NS', 'a')], '0.type: no NS at the zone itself'],
  ['NS at a wildcard', [record('*', 'NS', 'a')], '0.type: no NS at a wildcard'],
  [
    'two DNAMEs',
    [record('o', 'DNAME', 'a'), record('o', 'DNAME', 'b')],
    '1.type: one DNAME at a name (RFC 6672 2.4)',
  ],
  [
    'DS alone',
    [record('sub', 'DS', `1 13 2 ${'00'.repeat(32)}`)],
    '0.type: DS stands beside the NS of a delegation',
  ],
  ['two TTLs in a set', [A(), record('www', 'A', '192.0.2.2', '1m')], '1.ttl: 1h, as the other A at www'],
  [
    'the nodes’ names',
    [record('x.node', 'A', '192.0.2.1')],
    '0.name: node and the names below it are those of EdgeNodes',
  ],
])('%s is a problem', (_, records, problem) => {
  expect(problems(...records)).toEqual([problem]);
});

test.each(['WWW', 'a..b', 'www.', '*www', 'a.*', 'www.*', '', '@.a', '-a'])('%j is no name', (name) => {
  expect(zoneRecord.safeParse({ name, type: 'A', data: '192.0.2.1' }).success).toBe(false);
});

test('a name that no message can hold is a problem', () => {
  const zone = `${'z'.repeat(50)}.${'z'.repeat(50)}.net`;
  const told = (length: number) => {
    const name = `${'x'.repeat(60)}.${'x'.repeat(60)}.${'x'.repeat(length - 122)}`;
    return recordProblems(zone, [record(name, 'A', '192.0.2.1')]).map(({ message }) => message);
  };
  expect(told(147)).toEqual([]);
  expect(told(148)).toEqual([`with ${zone} at most 253 characters`]);
});

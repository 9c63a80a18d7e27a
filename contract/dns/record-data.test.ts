import dnsPacket from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { RECORD_TYPES, type RecordType, recordData } from './record-data.ts';

const ZONE = 'cdn.example.net';

/** What another implementation reads from the bytes, as a record's data. */
function read(type: RecordType, text: string): unknown {
  const data = recordData(type, text, ZONE);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0x8400, 2);
  head.writeUInt16BE(1, 6);
  const fixed = Buffer.alloc(11);
  fixed.writeUInt16BE(RECORD_TYPES[type], 1);
  fixed.writeUInt16BE(1, 3);
  fixed.writeUInt16BE(data.length, 9);
  const [answer] = dnsPacket.decode(Buffer.concat([head, fixed, data])).answers ?? [];
  return answer && 'data' in answer ? answer.data : undefined;
}

describe('what is written is what another implementation reads', () => {
  test.each<[RecordType, string, unknown]>([
    ['A', '192.0.2.1', '192.0.2.1'],
    ['AAAA', '2001:db8::1', '2001:db8::1'],
    ['AAAA', '::ffff:192.0.2.1', '::ffff:c000:201'],
    ['CNAME', 'Example.ORG.', 'example.org'],
    ['CNAME', 'www', 'www.cdn.example.net'],
    ['NS', '@', ZONE],
    ['PTR', '.', '.'],
    ['DNAME', 'other', 'other.cdn.example.net'],
    ['MX', '10  mail.example.org.', { preference: 10, exchange: 'mail.example.org' }],
    ['MX', '0 .', { preference: 0, exchange: '.' }],
    ['SRV', '1 2 443 host', { priority: 1, weight: 2, port: 443, target: 'host.cdn.example.net' }],
    ['TXT', 'v=spf1 include:x.example -all', [Buffer.from('v=spf1 include:x.example -all')]],
    ['TXT', '"one" "two"', [Buffer.from('one'), Buffer.from('two')]],
    ['TXT', String.raw`"a\"b\\c\009"`, [Buffer.from('a"b\\c\t')]],
    ['TXT', 'x'.repeat(300), [Buffer.alloc(255, 'x'), Buffer.alloc(45, 'x')]],
    ['TXT', '你好', [Buffer.from('你好')]],
    [
      'CAA',
      '0 issue "ca.example.org; account=1"',
      { issuerCritical: false, flags: 0, tag: 'issue', value: 'ca.example.org; account=1' },
    ],
    [
      'CAA',
      '128 iodef mailto:a@example.org',
      { issuerCritical: true, flags: 128, tag: 'iodef', value: 'mailto:a@example.org' },
    ],
    [
      'DS',
      `4711 13 2 ${'ab'.repeat(32)}`,
      { keyTag: 4_711, algorithm: 13, digestType: 2, digest: Buffer.alloc(32, 0xab) },
    ],
  ])('%s %s', (type, text, data) => {
    expect(read(type, text)).toEqual(data);
  });
});

describe('what is refused, with what is allowed', () => {
  test.each<[RecordType, string, string]>([
    ['A', '192.0.2.256', 'an IPv4 address'],
    ['A', '2001:db8::1', 'an IPv4 address'],
    ['AAAA', 'fe80::1%eth0', 'an IPv6 address'],
    ['CNAME', 'www.example.org', 'ends with a dot'],
    ['CNAME', 'two names.', 'one name'],
    ['CNAME', 'a..b.', '1 to 63 bytes'],
    ['CNAME', `${'x'.repeat(64)}.`, '1 to 63 bytes'],
    ['CNAME', `${`${'x'.repeat(60)}.`.repeat(5)}`, '255 bytes'],
    ['CNAME', 'bücher.example.', 'ASCII'],
    ['CNAME', String.raw`a\999.`, 'at most'],
    ['MX', 'mail.example.org.', 'a preference and a name'],
    ['MX', '65536 mail.example.org.', '0 to 65535'],
    ['MX', '-1 mail.example.org.', '0 to 65535'],
    ['SRV', '1 2 host', 'priority, weight, port and a name'],
    ['TXT', '"open', 'in quotes'],
    ['TXT', `"${'x'.repeat(256)}"`, 'at most 255'],
    ['CAA', '256 issue x', '0 to 255'],
    ['CAA', '0 is-sue x', 'letters and digits'],
    ['DS', '4711 13 2 xyz', 'in hex'],
  ])('%s %s', (type, text, words) => {
    expect(() => recordData(type, text, ZONE)).toThrow(words);
  });
});

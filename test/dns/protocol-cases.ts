/**
 * Queries, the whole answer to each, and what is counted. Grouped by what asks for them: the RFCs of names and zones,
 * EDNS and its options, and the queries by which ISC's EDNS compliance tests (DNS flag day) and RFC 8906 judge servers.
 */
import { queryBytes } from '../../dns-server/testing/ask.ts';

export const ZONE = 'cdn.example.net';
const VIDEO = `video.demo.${ZONE}`;

export type Way = 'udp' | 'tcp';

export interface Case {
  what: string;
  message: Buffer;
  /** As message.ts writes it. */
  answer: string[];
  counted: (way: Way) => Record<string, number>;
  /** Where it is asked, when not everywhere. */
  only?: Way;
}

const soa = (ttl: number) =>
  `${ZONE} ${ttl} SOA ns1.${ZONE} hostmaster.example.net 196615 3600 600 1209600 60`;
const NEGATIVE = `! ${soa(60)}`;
const SOA = `= ${soa(3_600)}`;
const OPT = 'opt 1232 v0';

interface Extra {
  only?: Way;
  /** Beside the query itself. */
  more?: (way: Way) => Record<string, number>;
  /** Its type as it is counted: nothing when no question could be read. */
  type?: string;
}

/** The first line of an answer begins with its code, by which it is counted. */
function given(what: string, message: Buffer, answer: string[], extra: Extra = {}): Case {
  const { more = () => ({}), only, type = typeOf(answer) } = extra;
  const rcode = answer[0]?.split(' ')[0] ?? '';
  const counted = (way: Way) => ({
    [`weir_dns_queries_total{transport="${way}",type="${type}",rcode="${rcode}"}`]: 1,
    ...more(way),
  });
  return { what, message, answer, counted, ...(only && { only }) };
}

function typeOf(answer: string[]): string {
  return answer.find((line) => line.startsWith('? '))?.split(' ')[2] ?? 'other';
}

const word = (message: Buffer, at: number, value: number): Buffer => {
  const changed = Buffer.from(message);
  changed.writeUInt16BE(value, at);
  return changed;
};
const flags = (value: number, message: Buffer) => word(message, 2, value);
const option = (code: number, hex = '') => ({ code, data: Buffer.from(hex, 'hex') });
const withOptions = (type: string, ...options: ReturnType<typeof option>[]) =>
  queryBytes(ZONE, { type, edns: { options } });
const soaQuery = queryBytes(ZONE, { type: 'SOA' });
const soaAnswer = (head = 'NOERROR qr aa') => [head, `? ${ZONE} SOA`, SOA];

const named = (name: string) => `${name}.${ZONE}`;
const asked = (name: string, type: string) => queryBytes(name === '@' ? ZONE : named(name), { type });

const OPCODES: Record<number, string> = { 1: 'IQUERY', 2: 'STATUS', 4: 'NOTIFY', 5: 'UPDATE' };

const names: Case[] = [
  given('a name outside all zones is REFUSED', queryBytes('example.com'), ['REFUSED qr', '? example.com A']),
  given('… with EDE 20 where EDNS is there (RFC 8914)', queryBytes('example.com', { edns: {} }), [
    'REFUSED qr',
    '? example.com A',
    `${OPT} 15:0014`,
  ]),
  given('the root is outside, too', queryBytes('.', { type: 'NS' }), ['REFUSED qr', '? . NS']),
  given('SOA', soaQuery, soaAnswer()),
  given('NXDOMAIN has the SOA with the negative TTL (RFC 2308)', asked('nope', 'A'), [
    'NXDOMAIN qr aa',
    `? ${named('nope')} A`,
    NEGATIVE,
  ]),
  given('NODATA likewise', asked('www', 'TXT'), ['NOERROR qr aa', `? ${named('www')} TXT`, NEGATIVE]),
  given('an empty non-terminal is NODATA (RFC 8020)', asked('er.still', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('er.still')} TXT`,
    NEGATIVE,
  ]),
  given('a wildcard is answered in the name of the question (RFC 4592)', asked('x.y.wild', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('x.y.wild')} TXT`,
    `= ${named('x.y.wild')} 300 TXT "any"`,
  ]),
  given('… and is not for a name that exists', asked('exact.wild', 'A'), [
    'NOERROR qr aa',
    `? ${named('exact.wild')} A`,
    NEGATIVE,
  ]),
  given('a delegation is a referral with glue', asked('x.sub', 'A'), [
    'NOERROR qr',
    `? ${named('x.sub')} A`,
    `! ${named('sub')} 300 NS ${named('ns.sub')}`,
    `+ ${named('ns.sub')} 300 A 192.0.2.54`,
  ]),
  given('DS of a delegation is answered above it', asked('sub', 'DS'), [
    'NOERROR qr aa',
    `? ${named('sub')} DS`,
    NEGATIVE,
  ]),
  given('an alias is followed inside the zone', asked('alias', 'A'), [
    'NOERROR qr aa',
    `? ${named('alias')} A`,
    `= ${named('alias')} 120 CNAME ${named('www')}`,
    `= ${named('www')} 60 A 192.0.2.7`,
  ]),
  given('… to a name that is not there: NXDOMAIN behind it (RFC 6604)', asked('nowhere', 'A'), [
    'NXDOMAIN qr aa',
    `? ${named('nowhere')} A`,
    `= ${named('nowhere')} 300 CNAME ${named('missing')}`,
    NEGATIVE,
  ]),
  given('a DNAME comes with the CNAME that it means (RFC 6672)', asked('a.old', 'A'), [
    'NOERROR qr aa',
    `? ${named('a.old')} A`,
    `= ${named('old')} 600 DNAME ${named('new')}`,
    `= ${named('a.old')} 600 CNAME ${named('a.new')}`,
    `= ${named('a.new')} 300 A 192.0.2.70`,
  ]),
  given('a mail host comes with its addresses', asked('@', 'MX'), [
    'NOERROR qr aa',
    `? ${ZONE} MX`,
    `= ${ZONE} 300 MX 10 ${named('www')}`,
    `+ ${named('www')} 60 A 192.0.2.7`,
    `+ ${named('www')} 300 AAAA 2001:db8::7`,
  ]),
  given('the question’s case comes back as it came', queryBytes('wWw.CDN.example.NET'), [
    'NOERROR qr aa',
    '? wWw.CDN.example.NET A',
    '= wWw.CDN.example.NET 60 A 192.0.2.7',
  ]),
  given('ANY is HINFO (RFC 8482)', asked('www', 'ANY'), [
    'NOERROR qr aa',
    `? ${named('www')} ANY`,
    `= ${named('www')} 3600 HINFO RFC8482 `,
  ]),
  given('AXFR is refused', queryBytes(ZONE, { type: 'AXFR', edns: {} }), [
    'REFUSED qr',
    `? ${ZONE} AXFR`,
    `${OPT} 15:0012`,
  ]),
  given('IXFR is refused', queryBytes(ZONE, { type: 'IXFR' }), ['REFUSED qr', `? ${ZONE} IXFR`]),
  given('another class is refused', queryBytes(ZONE, { type: 'TXT', class: 'CH' }), [
    'REFUSED qr',
    `? ${ZONE} TXT CH`,
  ]),
];

const domain = (head = 'NOERROR qr aa', name = VIDEO) => [head, `? ${name} A`, `= ${name} 60 A 127.0.2.1`];
const answered = { more: () => ({ 'weir_dns_answers_total{domain="demo/video"}': 1 }) };

/** Of the client in 202.102.0.0/16, an edge in its province; without a subnet, of the default region. */
const clients: Case[] = [
  given(
    'a domain, by the subnet of the client (RFC 7871)',
    queryBytes(VIDEO, { subnet: '202.102.224.0/24' }),
    [...domain(), `${OPT} 8:00011810ca66e0`],
    answered,
  ),
  given(
    '… in the question’s case',
    queryBytes(VIDEO.toUpperCase(), { subnet: '202.102.224.0/24' }),
    [...domain('NOERROR qr aa', VIDEO.toUpperCase()), `${OPT} 8:00011810ca66e0`],
    answered,
  ),
  given(
    '… of IPv6',
    queryBytes(VIDEO, { subnet: '240e::/32' }),
    ['NOERROR qr aa', `? ${VIDEO} A`, `= ${VIDEO} 60 A 127.0.1.1`, `${OPT} 8:00022014240e0000`],
    answered,
  ),
  given(
    'without bits the sender is meant, and the scope is 0',
    queryBytes(VIDEO, { subnet: '0.0.0.0/0' }),
    ['NOERROR qr aa', `? ${VIDEO} A`, `= ${VIDEO} 60 A 127.0.3.1`, `${OPT} 8:00010000`],
    answered,
  ),
  given(
    'no subnet comes back that was not sent',
    queryBytes(VIDEO, { edns: {} }),
    ['NOERROR qr aa', `? ${VIDEO} A`, `= ${VIDEO} 60 A 127.0.3.1`, OPT],
    answered,
  ),
  given(
    'a name that is the same for all has scope 0',
    queryBytes(named('www'), { subnet: '202.102.224.0/24' }),
    ['NOERROR qr aa', `? ${named('www')} A`, `= ${named('www')} 60 A 192.0.2.7`, `${OPT} 8:00011800ca66e0`],
  ),
  given('a refusal is, too', queryBytes('example.com', { subnet: '202.102.224.0/24' }), [
    'REFUSED qr',
    '? example.com A',
    `${OPT} 8:00011800ca66e0 15:0014`,
  ]),
  given(
    '… and what is not implemented',
    flags(5 << 11, queryBytes(ZONE, { type: 'SOA', subnet: '202.102.224.0/24' })),
    ['NOTIMP UPDATE qr', `? ${ZONE} SOA`, `${OPT} 8:00011800ca66e0 15:0015`],
    { type: 'other' },
  ),
  ...(
    [
      ['of an unknown family', '00031800cb0071'],
      ['with a scope', '00011818cb0071'],
      ['with bits beyond its prefix', '00011700cb0071'],
      ['with too long a prefix', '00012100cb00710101'],
      ['with bytes too few', '00011800cb00'],
      ['with bytes too many', '00011800cb007100'],
    ] as const
  ).map(([what, hex]) =>
    given(
      `a subnet ${what} is FORMERR`,
      withOptions('SOA', option(8, hex)),
      ['FORMERR qr', `? ${ZONE} SOA`, OPT],
      {
        type: 'other',
      },
    ),
  ),
];

const edns: Case[] = [
  given('EDNS is answered with EDNS (RFC 6891)', queryBytes(ZONE, { type: 'SOA', edns: {} }), [
    ...soaAnswer(),
    OPT,
  ]),
  given('DO comes back, other flags do not', queryBytes(ZONE, { type: 'SOA', edns: { flags: 0xffff } }), [
    ...soaAnswer(),
    `${OPT} flags c000`,
  ]),
  given('… flags alone', queryBytes(ZONE, { type: 'SOA', edns: { flags: 0x0080 } }), [...soaAnswer(), OPT]),
  given('an unknown option is passed over', withOptions('SOA', option(100, 'abcd')), [...soaAnswer(), OPT]),
  given('a later version is BADVERS', queryBytes(ZONE, { type: 'SOA', edns: { ednsVersion: 1 } }), [
    'BADVERS qr',
    `? ${ZONE} SOA`,
    OPT,
  ]),
  given(
    '… with an option and flags that it may mean otherwise',
    queryBytes(ZONE, { type: 'SOA', edns: { ednsVersion: 1, flags: 0x8080, options: [option(8, '0003')] } }),
    ['BADVERS qr', `? ${ZONE} SOA`, `${OPT} flags 8000`],
  ),
  given('two OPT records are FORMERR', twoOpts(), ['FORMERR qr', `? ${ZONE} SOA`, OPT], { type: 'other' }),
  given('OPT is no type to ask for', queryBytes(ZONE, { type: 'OPT' }), ['FORMERR qr', `? ${ZONE} OPT`], {
    type: 'other',
  }),
  given('NSID is told on request (RFC 5001)', withOptions('SOA', option(3)), [
    ...soaAnswer(),
    `${OPT} 3:${Buffer.from('dns-1').toString('hex')}`,
  ]),
  given('EXPIRE is for secondaries, of which there are none (RFC 7314)', withOptions('SOA', option(9)), [
    ...soaAnswer(),
    OPT,
  ]),
  given('padding would hide nothing in the clear (RFC 7830)', withOptions('SOA', option(12, '0000')), [
    ...soaAnswer(),
    OPT,
  ]),
  given(
    'the idle time is told on a connection (RFC 7828)',
    withOptions('SOA', option(11)),
    [...soaAnswer(), `${OPT} 11:0064`],
    { only: 'tcp' },
  ),
  given('… and not over UDP', withOptions('SOA', option(11)), [...soaAnswer(), OPT], { only: 'udp' }),
  given(
    'a cookie of a wrong length is FORMERR (RFC 7873)',
    withOptions('SOA', option(10, '01020304')),
    ['FORMERR qr', `? ${ZONE} SOA`, OPT],
    { type: 'other' },
  ),
];

function twoOpts(): Buffer {
  const message = queryBytes(ZONE, { type: 'SOA', edns: {} });
  return word(Buffer.concat([message, message.subarray(-11)]), 10, 2);
}

const truncated = { more: () => ({ 'weir_dns_truncated_total{transport="udp"}': 1 }), only: 'udp' as const };
const texts = (name: string, count: number, length: number) =>
  Array.from({ length: count }, (_, index) => `= ${named(name)} 300 TXT "${String(index).repeat(length)}"`);

const sizes: Case[] = [
  given(
    'more than 512 bytes: TC and no part of it',
    asked('medium', 'TXT'),
    ['NOERROR qr aa tc', `? ${named('medium')} TXT`],
    truncated,
  ),
  given('as much as the client takes', queryBytes(named('medium'), { type: 'TXT', edns: {} }), [
    'NOERROR qr aa',
    `? ${named('medium')} TXT`,
    ...texts('medium', 3, 200),
    OPT,
  ]),
  given(
    'never more than 1,232 bytes, whatever it takes',
    queryBytes(named('large'), { type: 'TXT', edns: { udpPayloadSize: 4_096 } }),
    ['NOERROR qr aa tc', `? ${named('large')} TXT`, OPT],
    truncated,
  ),
  given(
    'less than 512 counts as 512 (RFC 6891 6.2.3)',
    queryBytes(ZONE, { type: 'SOA', edns: { udpPayloadSize: 1 } }),
    [...soaAnswer(), OPT],
  ),
  given(
    'all of it on a connection',
    asked('large', 'TXT'),
    ['NOERROR qr aa', `? ${named('large')} TXT`, ...texts('large', 6, 220)],
    { only: 'tcp' },
  ),
];

/** Names are those of ISC's genreport; what is expected is what it calls "ok". */
const compliance: Case[] = [
  given('dns', soaQuery, soaAnswer()),
  given('aa', flags(0x0400, soaQuery), soaAnswer()),
  given('tc', flags(0x0200, soaQuery), soaAnswer()),
  given('rd', flags(0x0100, soaQuery), soaAnswer('NOERROR qr aa rd')),
  given('ra', flags(0x0080, soaQuery), soaAnswer()),
  given('zflag', flags(0x0040, soaQuery), soaAnswer()),
  given('ad', flags(0x0020, soaQuery), soaAnswer()),
  given('cd', flags(0x0010, soaQuery), soaAnswer('NOERROR qr aa cd')),
  ...[1, 2, 3, 4, 5, 6, 15].map((opcode) =>
    given(
      `opcode ${opcode}`,
      flags(opcode << 11, soaQuery),
      [`NOTIMP ${OPCODES[opcode] ?? `OPCODE_${opcode}`} qr`, `? ${ZONE} SOA`],
      { type: 'other' },
    ),
  ),
  given('opcodeflg', flags((15 << 11) | 0x07f0, soaQuery), ['NOTIMP OPCODE_15 qr rd cd', `? ${ZONE} SOA`], {
    type: 'other',
  }),
  given(
    'type666',
    word(soaQuery, soaQuery.length - 4, 666),
    ['NOERROR qr aa', `? ${ZONE} UNKNOWN_666`, NEGATIVE],
    {
      type: 'other',
    },
  ),
  given('edns@512', queryBytes(ZONE, { type: 'SOA', edns: { udpPayloadSize: 512 } }), [...soaAnswer(), OPT]),
  given('edns1opt', queryBytes(ZONE, { type: 'SOA', edns: { ednsVersion: 1, options: [option(100)] } }), [
    'BADVERS qr',
    `? ${ZONE} SOA`,
    OPT,
  ]),
  given('edns1do', queryBytes(ZONE, { type: 'SOA', edns: { ednsVersion: 1, flags: 0x8000 } }), [
    'BADVERS qr',
    `? ${ZONE} SOA`,
    `${OPT} flags 8000`,
  ]),
  given('do', queryBytes(ZONE, { type: 'SOA', edns: { flags: 0x8000 } }), [
    ...soaAnswer(),
    `${OPT} flags 8000`,
  ]),
  given(
    'optlist: NSID, subnet, EXPIRE and one that nobody knows',
    withOptions('SOA', option(3), option(8, '00011800ca66e0'), option(9), option(65_001)),
    [...soaAnswer(), `${OPT} 8:00011800ca66e0 3:${Buffer.from('dns-1').toString('hex')}`],
  ),
];

const malformed: Case[] = (
  [
    ['two questions (RFC 9619)', word(soaQuery, 4, 2), []],
    ['no question', word(soaQuery.subarray(0, 12), 4, 0), []],
    ['a record that is not there', word(soaQuery, 10, 1), [`? ${ZONE} SOA`]],
    ['bytes behind the last record', Buffer.concat([soaQuery, Buffer.of(0)]), [`? ${ZONE} SOA`]],
    ['a question cut off', soaQuery.subarray(0, -1), []],
    ['a pointer for a name', Buffer.concat([soaQuery.subarray(0, 12), Buffer.of(0xc0, 12, 0, 1, 0, 1)]), []],
    ['a label of 64 bytes', Buffer.concat([soaQuery.subarray(0, 12), Buffer.alloc(80, 64)]), []],
  ] as const
).map(([what, message, question]) =>
  given(`${what} is FORMERR`, message, ['FORMERR qr', ...question], { type: 'other' }),
);

export const CASES: Case[] = [...names, ...clients, ...edns, ...sizes, ...compliance, ...malformed];

/** Silence, and for all of them: an answer could go on between two servers forever, or to nobody. */
export const SILENT: [string, Buffer][] = [
  ['a response', flags(0x8000, soaQuery)],
  ['a response with an error', flags(0x8001, soaQuery)],
  ['fewer bytes than a header', soaQuery.subarray(0, 11)],
];

/** A query that follows another, and what is answered to it. */
export const BEHIND: Buffer = queryBytes(ZONE, { type: 'SOA', id: 9_999 });
export const SOA_LINES: string[] = soaAnswer();

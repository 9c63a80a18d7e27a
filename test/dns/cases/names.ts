/** Names and zones: RFC 1034, 1035, 2181, 2308, 4592, 6604, 6672, 8020, 8482. */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import { asked, type Case, given, NEGATIVE, named, OPT, soaAnswer, soaQuery, word, ZONE } from './case.ts';

/** Three labels of 63 bytes, and one that fills it up. */
const LONGEST = `${['a', 'b', 'c'].map((letter) => letter.repeat(63)).join('.')}.${'d'.repeat(255 - 3 * 64 - 1 - 17)}.${ZONE}`;

export const names: Case[] = [
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
  ...(['CH', 'HS', 'ANY'] as const).map((kind) =>
    given(`class ${kind} is refused`, queryBytes(ZONE, { type: 'TXT', class: kind }), [
      'REFUSED qr',
      `? ${ZONE} TXT ${kind}`,
    ]),
  ),
  given('a class that nobody knows is refused', word(soaQuery, soaQuery.length - 2, 666), [
    'REFUSED qr',
    `? ${ZONE} SOA UNKNOWN_666`,
  ]),
  given('below a name with addresses there is nothing: NXDOMAIN', asked('below.www', 'A'), [
    'NXDOMAIN qr aa',
    `? ${named('below.www')} A`,
    NEGATIVE,
  ]),
  given('a name of 255 bytes is one', queryBytes(LONGEST), ['NXDOMAIN qr aa', `? ${LONGEST} A`, NEGATIVE]),
  given('name servers come with the addresses of those inside', asked('@', 'NS'), [
    'NOERROR qr aa',
    `? ${ZONE} NS`,
    `= ${ZONE} 3600 NS ns1.${ZONE}`,
    `= ${ZONE} 3600 NS ns.example.org`,
    `+ ns1.${ZONE} 3600 A 192.0.2.53`,
    `+ ns1.${ZONE} 3600 AAAA 2001:db8::53`,
  ]),
  given('a service comes with the addresses of its host (RFC 2782)', asked('_sip._tcp', 'SRV'), [
    'NOERROR qr aa',
    `? ${named('_sip._tcp')} SRV`,
    `= ${named('_sip._tcp')} 300 SRV 1 2 5060 ${named('www')}`,
    `+ ${named('www')} 60 A 192.0.2.7`,
    `+ ${named('www')} 300 AAAA 2001:db8::7`,
  ]),
  given('PTR', asked('ptr', 'PTR'), [
    'NOERROR qr aa',
    `? ${named('ptr')} PTR`,
    `= ${named('ptr')} 300 PTR host.example.org`,
  ]),
  given('a wildcard may be asked for itself (RFC 4592 2.1.1)', asked('*.wild', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('*.wild')} TXT`,
    `= ${named('*.wild')} 300 TXT "any"`,
  ]),
  given('… has no other types', asked('x.wild', 'MX'), [
    'NOERROR qr aa',
    `? ${named('x.wild')} MX`,
    NEGATIVE,
  ]),
  given('… the deepest counts', asked('x.y.nested.wild', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('x.y.nested.wild')} TXT`,
    `= ${named('x.y.nested.wild')} 300 TXT "inner"`,
  ]),
  given('… an empty non-terminal stands in its way: NODATA', asked('b.wild', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('b.wild')} TXT`,
    NEGATIVE,
  ]),
  given('… and so do names below it: NXDOMAIN', asked('x.b.wild', 'TXT'), [
    'NXDOMAIN qr aa',
    `? ${named('x.b.wild')} TXT`,
    NEGATIVE,
  ]),
  given('… may be an alias', asked('x.aliased', 'A'), [
    'NOERROR qr aa',
    `? ${named('x.aliased')} A`,
    `= ${named('x.aliased')} 300 CNAME ${named('www')}`,
    `= ${named('www')} 60 A 192.0.2.7`,
  ]),
  given('DS of the zone itself is said to be none here', asked('@', 'DS'), [
    'NOERROR qr aa',
    `? ${ZONE} DS`,
    NEGATIVE,
  ]),
  given('DS below a delegation is the child’s to know', asked('x.sub', 'DS'), [
    'NOERROR qr',
    `? ${named('x.sub')} DS`,
    `! ${named('sub')} 300 NS ${named('ns.sub')}`,
    `+ ${named('ns.sub')} 300 A 192.0.2.54`,
  ]),
  given('glue is not ours to answer with: a referral', asked('ns.sub', 'A'), [
    'NOERROR qr',
    `? ${named('ns.sub')} A`,
    `! ${named('sub')} 300 NS ${named('ns.sub')}`,
    `+ ${named('ns.sub')} 300 A 192.0.2.54`,
  ]),
  given('an alias itself may be asked for', asked('alias', 'CNAME'), [
    'NOERROR qr aa',
    `? ${named('alias')} CNAME`,
    `= ${named('alias')} 120 CNAME ${named('www')}`,
  ]),
  given('… to a name without the type: NODATA behind it (RFC 2308 2.2)', asked('alias', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('alias')} TXT`,
    `= ${named('alias')} 120 CNAME ${named('www')}`,
    NEGATIVE,
  ]),
  given('… to a name outside ends there', asked('outside', 'A'), [
    'NOERROR qr aa',
    `? ${named('outside')} A`,
    `= ${named('outside')} 300 CNAME www.example.org`,
  ]),
  given('aliases that go round are answered once each', asked('loop-a', 'A'), [
    'NOERROR qr aa',
    `? ${named('loop-a')} A`,
    `= ${named('loop-a')} 300 CNAME ${named('loop-b')}`,
    `= ${named('loop-b')} 300 CNAME ${named('loop-a')}`,
  ]),
  given('a DNAME is not for its own name', asked('old', 'A'), [
    'NOERROR qr aa',
    `? ${named('old')} A`,
    NEGATIVE,
  ]),
  given('… that makes a name too long is YXDOMAIN (RFC 6672 2.2)', asked(`${'w'.repeat(60)}.far`, 'A'), [
    'YXDOMAIN qr aa',
    `? ${named(`${'w'.repeat(60)}.far`)} A`,
    `= ${named('far')} 300 DNAME ${['x', 'y', 'z'].map((letter) => letter.repeat(60)).join('.')}.example.org`,
  ]),
  ...(
    [
      ['an alias', 'alias', ['NOERROR qr aa'], [`= ${named('alias')} 3600 HINFO RFC8482 `]],
      ['a wildcard', 'x.wild', ['NOERROR qr aa'], [`= ${named('x.wild')} 3600 HINFO RFC8482 `]],
      ['an empty non-terminal', 'still', ['NOERROR qr aa'], [NEGATIVE]],
      ['nothing', 'nope', ['NXDOMAIN qr aa'], [NEGATIVE]],
    ] as const
  ).map(([what, name, head, rest]) =>
    given(`ANY of ${what}`, asked(name, 'ANY'), [...head, `? ${named(name)} ANY`, ...rest]),
  ),
];

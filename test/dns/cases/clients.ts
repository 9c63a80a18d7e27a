/** The client’s subnet (RFC 7871). */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import {
  type Case,
  flags,
  given,
  NEGATIVE,
  named,
  OPT,
  option,
  VIDEO,
  withOptions,
  word,
  ZONE,
} from './case.ts';

const domain = (head = 'NOERROR qr aa', name = VIDEO) => [head, `? ${name} A`, `= ${name} 60 A 127.0.2.1`];
const answered = { more: () => ({ 'weir_dns_answers_total{domain="demo/video"}': 1 }) };

/** Of the client in 202.102.0.0/16, an edge in its province; without a subnet, of the default region. */
export const clients: Case[] = [
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
    'of one address',
    queryBytes(VIDEO, { subnet: '202.102.224.68/32' }),
    [...domain(), `${OPT} 8:00012010ca66e044`],
    answered,
  ),
  given(
    'of fewer bits than a place has',
    queryBytes(VIDEO, { subnet: '202.0.0.0/7' }),
    ['NOERROR qr aa', `? ${VIDEO} A`, `= ${VIDEO} 60 A 127.0.3.1`, `${OPT} 8:0001070aca`],
    answered,
  ),
  given(
    'without bits of IPv6 likewise',
    queryBytes(VIDEO, { subnet: '::/0' }),
    ['NOERROR qr aa', `? ${VIDEO} A`, `= ${VIDEO} 60 A 127.0.3.1`, `${OPT} 8:00020000`],
    answered,
  ),
  given(
    'of two subnets the first counts',
    queryBytes(VIDEO, {
      edns: { options: [option(8, '00011800ca66e0'), option(8, '00011800080808')] },
    }),
    [...domain(), `${OPT} 8:00011810ca66e0`],
    answered,
  ),
  given(
    'a family of addresses that no node has is NODATA, the same for all',
    queryBytes(VIDEO, { type: 'AAAA', subnet: '202.102.224.0/24' }),
    ['NOERROR qr aa', `? ${VIDEO} AAAA`, NEGATIVE, `${OPT} 8:00011800ca66e0`],
    answered,
  ),
  given(
    'HTTPS of a domain is NODATA (RFC 9460)',
    word(queryBytes(VIDEO), queryBytes(VIDEO).length - 4, 65),
    ['NOERROR qr aa', `? ${VIDEO} UNKNOWN_65`, NEGATIVE],
    { type: 'HTTPS' },
  ),
  given(
    'a domain by its alias in the zone, its scope with it',
    queryBytes(named('to-video'), { subnet: '202.102.224.0/24' }),
    [
      'NOERROR qr aa',
      `? ${named('to-video')} A`,
      `= ${named('to-video')} 300 CNAME ${VIDEO}`,
      `= ${VIDEO} 60 A 127.0.2.1`,
      `${OPT} 8:00011810ca66e0`,
    ],
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
      // As gdnsd has it; BIND takes it for "no subnet".
      ['of family 0', '00000000'],
      ['cut off', '000118'],
      ['of no bytes', ''],
      ['of IPv6 with too long a prefix', `00028100${'20'.repeat(17)}`],
      ['of IPv6 with bits beyond its prefix', '00021f00240e0001'],
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

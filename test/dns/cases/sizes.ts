/** How large an answer may be, and TC (RFC 2181 9, 6891, flag day 2020). */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import { asked, type Case, given, named, OPT, soaAnswer, ZONE } from './case.ts';

const truncated = { more: () => ({ 'weir_dns_truncated_total{transport="udp"}': 1 }), only: 'udp' as const };
const texts = (name: string, count: number, length: number) =>
  Array.from({ length: count }, (_, index) => `= ${named(name)} 300 TXT "${String(index).repeat(length)}"`);

export const sizes: Case[] = [
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
  given('512 bytes fit without EDNS', asked('fits', 'TXT'), [
    'NOERROR qr aa',
    `? ${named('fits')} TXT`,
    `= ${named('fits')} 300 TXT "${'f'.repeat(239)}" "${'f'.repeat(221)}"`,
  ]),
  given('… and 513 do not', asked('over', 'TXT'), ['NOERROR qr aa tc', `? ${named('over')} TXT`], truncated),
  given(
    'what was only added is left out, set by set, without TC (RFC 2181 9)',
    asked('crowd', 'MX'),
    [
      'NOERROR qr aa',
      `? ${named('crowd')} MX`,
      `= ${named('crowd')} 300 MX 10 ${named('host.crowd')}`,
      `+ ${named('host.crowd')} 300 AAAA 2001:db8::40`,
    ],
    { only: 'udp' },
  ),
  given(
    'all of it on a connection',
    asked('large', 'TXT'),
    ['NOERROR qr aa', `? ${named('large')} TXT`, ...texts('large', 6, 220)],
    { only: 'tcp' },
  ),
];

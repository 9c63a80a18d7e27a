/** What ISC’s EDNS compliance tests (DNS flag day) and RFC 8906 ask of servers. */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import {
  type Case,
  flags,
  given,
  NEGATIVE,
  OPT,
  option,
  soaAnswer,
  soaQuery,
  withOptions,
  word,
  ZONE,
} from './case.ts';

const OPCODES: Record<number, string> = { 1: 'IQUERY', 2: 'STATUS', 4: 'NOTIFY', 5: 'UPDATE' };

/** Names are those of ISC's genreport; what is expected is what it calls "ok". */
export const compliance: Case[] = [
  given('dns', soaQuery, soaAnswer()),
  given('aa', flags(0x0400, soaQuery), soaAnswer()),
  given('tc', flags(0x0200, soaQuery), soaAnswer()),
  given('rd', flags(0x0100, soaQuery), soaAnswer('NOERROR qr aa rd')),
  given('ra', flags(0x0080, soaQuery), soaAnswer()),
  given('zflag', flags(0x0040, soaQuery), soaAnswer()),
  given('ad', flags(0x0020, soaQuery), soaAnswer()),
  given('cd', flags(0x0010, soaQuery), soaAnswer('NOERROR qr aa cd')),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((opcode) =>
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

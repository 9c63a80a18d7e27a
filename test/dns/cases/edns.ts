/** EDNS (RFC 6891) and its options. */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import { type Case, given, OPT, option, soaAnswer, soaQuery, withOptions, word, ZONE } from './case.ts';

export const edns: Case[] = [
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
  given('an OPT record among the answers is FORMERR', misplaced(6), ['FORMERR qr', `? ${ZONE} SOA`], {
    type: 'other',
  }),
  given('… or in the authority section', misplaced(8), ['FORMERR qr', `? ${ZONE} SOA`], { type: 'other' }),
  ...(
    [
      // Nothing of it can be read, so that nobody knows whether the client knows EDNS.
      ['with a name', '016100002904d0000000000000', []],
      ['that runs out of the message', '00002904d0000000000004', []],
      ['with an option that runs out of it', '00002904d00000000000040003000a', [OPT]],
      ['with half of an option', '00002904d0000000000003000300', [OPT]],
    ] as const
  ).map(([what, hex, opt]) =>
    given(`an OPT record ${what} is FORMERR`, behind(hex), ['FORMERR qr', `? ${ZONE} SOA`, ...opt], {
      type: 'other',
    }),
  ),
  given('the last version is BADVERS, too', queryBytes(ZONE, { type: 'SOA', edns: { ednsVersion: 255 } }), [
    'BADVERS qr',
    `? ${ZONE} SOA`,
    OPT,
  ]),
  given('an extended code in a query means nothing', behind('00002904d0ff00000000000000'.slice(0, 22)), [
    ...soaAnswer(),
    OPT,
  ]),
  given('CO alone does not come back', queryBytes(ZONE, { type: 'SOA', edns: { flags: 0x4000 } }), [
    ...soaAnswer(),
    OPT,
  ]),
  given('what a client puts into NSID is passed over', withOptions('SOA', option(3, 'aabb')), [
    ...soaAnswer(),
    `${OPT} 3:${Buffer.from('dns-1').toString('hex')}`,
  ]),
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

/** The query with this as its one additional record. */
function behind(hex: string): Buffer {
  return word(Buffer.concat([soaQuery, Buffer.from(hex, 'hex')]), 10, 1);
}

/** The OPT record is counted among those of another section. */
function misplaced(counter: number): Buffer {
  return word(word(queryBytes(ZONE, { type: 'SOA', edns: {} }), 10, 0), counter, 1);
}

function twoOpts(): Buffer {
  const message = queryBytes(ZONE, { type: 'SOA', edns: {} });
  return word(Buffer.concat([message, message.subarray(-11)]), 10, 2);
}

/** What is no query: FORMERR, or silence. */
import { queryBytes } from '../../../dns-server/testing/ask.ts';
import { type Case, flags, given, soaAnswer, soaQuery, word, ZONE } from './case.ts';

const label = (length: number) => Buffer.concat([Buffer.of(length), Buffer.alloc(length, 0x61)]);
const TOO_LONG = Buffer.concat([label(63), label(63), label(63), label(62), Buffer.of(0)]);

export const malformed: Case[] = (
  [
    ['two questions (RFC 9619)', word(soaQuery, 4, 2), []],
    ['65,535 questions', word(soaQuery, 4, 0xffff), []],
    ['two questions that are there', word(Buffer.concat([soaQuery, soaQuery.subarray(12)]), 4, 2), []],
    ['an answer that is not there', word(soaQuery, 6, 1), [`? ${ZONE} SOA`]],
    ['a header alone that promises a question', soaQuery.subarray(0, 12), []],
    ['no question', word(soaQuery.subarray(0, 12), 4, 0), []],
    ['a record that is not there', word(soaQuery, 10, 1), [`? ${ZONE} SOA`]],
    ['bytes behind the last record', Buffer.concat([soaQuery, Buffer.of(0)]), [`? ${ZONE} SOA`]],
    ['a question cut off', soaQuery.subarray(0, -1), []],
    ['a pointer for a name', Buffer.concat([soaQuery.subarray(0, 12), Buffer.of(0xc0, 12, 0, 1, 0, 1)]), []],
    ['a name of 256 bytes', Buffer.concat([soaQuery.subarray(0, 12), TOO_LONG, Buffer.of(0, 1, 0, 1)]), []],
    ['a name without an end', Buffer.concat([soaQuery.subarray(0, 12), TOO_LONG.subarray(0, 64)]), []],
    [
      'a reserved kind of label',
      Buffer.concat([soaQuery.subarray(0, 12), Buffer.of(0x80, 0, 0, 1, 0, 1)]),
      [],
    ],
    ['a label of 64 bytes', Buffer.concat([soaQuery.subarray(0, 12), Buffer.alloc(80, 64)]), []],
  ] as const
).map(([what, message, question]) =>
  given(`${what} is FORMERR`, message, ['FORMERR qr', ...question], { type: 'other' }),
);

/** Silence, and for all of them: an answer could go on between two servers forever, or to nobody. */
export const SILENT: [string, Buffer][] = [
  ['a response', flags(0x8000, soaQuery)],
  ['a response with an error', flags(0x8001, soaQuery)],
  ['fewer bytes than a header', soaQuery.subarray(0, 11)],
];

/** A query that follows another, and what is answered to it. */
export const BEHIND: Buffer = queryBytes(ZONE, { type: 'SOA', id: 9_999 });
export const SOA_LINES: string[] = soaAnswer();

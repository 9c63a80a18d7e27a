/**
 * The same zone, the same random queries: a server of ours beside NSD and Knot DNS. What they may do otherwise is named
 * in `comparable`; the rest has to be equal, record by record.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askUdp, decode, queryBytes } from '../../../dns-server/testing/ask.ts';
import { RECORDS } from '../../../dns-server/testing/zone-records.ts';
import { textOf } from '../message.ts';
import { type Serving, serve } from '../serving.ts';
import { PEERS, type Peer, startPeer } from './servers.ts';
import { ORIGIN, planOf } from './zone.ts';

const SEED = 20_261_122;
const QUERIES = 3_000;

const owners = [...new Set(RECORDS.map((text) => text.split(' ')[0] ?? ''))];
const under = (name: string) => (name === '@' ? ORIGIN : `${name}.${ORIGIN}`);

/** Names of the zone, names below and between them, and some that are not in it; in any case. */
const names = fc
  .tuple(
    fc.constantFrom('', '', '', 'x.', 'x.y.', 'a.', '*.', 'www.', 'nested.'),
    fc.constantFrom(...owners, 'er.still', 'still', 'wild', 'nope', '_tcp', 'new', 'ns1', 'nested.wild'),
    fc.infiniteStream(fc.boolean()),
  )
  .map(([prefix, owner, upper]) =>
    Array.from(`${prefix}${under(owner)}`, (letter) =>
      upper.next().value ? letter.toUpperCase() : letter,
    ).join(''),
  );
const outside = fc.constantFrom('example.net', 'example.org', 'net', 'xcdn.example.net');
const types = fc.constantFrom(
  'A',
  'AAAA',
  'TXT',
  'MX',
  'NS',
  'SOA',
  'CNAME',
  'DNAME',
  'SRV',
  'PTR',
  'CAA',
  'DS',
  'NAPTR',
  'HINFO',
);
const queries = fc.record({
  name: fc.oneof({ weight: 40, arbitrary: names }, { weight: 1, arbitrary: outside }),
  type: types,
  edns: fc.constantFrom(undefined, {}, { udpPayloadSize: 4_096 }),
});

interface Comparable {
  head: string;
  answer: string[];
  authority: string[];
  additional: string[];
}

/**
 * The order of records within a section means nothing. Left out, since servers may differ: the apex's name servers and
 * their addresses beside a positive answer, as NSD adds them, and what the OPT record holds.
 */
function comparable(bytes: Buffer): Comparable {
  const lines = textOf(bytes).map((line, index) => (index === 0 ? line : line.toLowerCase()));
  const section = (mark: string) => lines.filter((line) => line.startsWith(mark)).sort();
  const authority = section('!').filter((line) => !line.startsWith(APEX_SERVER));
  const added = section('!').length > authority.length;
  return {
    head: lines[0] ?? '',
    answer: section('='),
    authority,
    additional: section('+').filter((line) => !added || !line.startsWith(`+ ns1.${ORIGIN} `)),
  };
}

const APEX_SERVER = `! ${ORIGIN} 3600 ns `;

let weir: Serving;
beforeAll(async () => {
  weir = await serve(planOf(), 'off');
});
afterAll(() => weir.stop());

describe.each(Object.entries(PEERS))('beside %s', (_, program) => {
  let peer: Peer;
  beforeAll(async () => {
    peer = await startPeer(program);
  });
  afterAll(() => peer.stop());

  test(`${QUERIES} random queries have the same answers`, async () => {
    await fc.assert(
      fc.asyncProperty(queries, async ({ name, type, edns }) => {
        const message = queryBytes(name, { type, edns });
        const [ours, theirs] = await Promise.all([askUdp(weir.at, message), askUdp(peer.at, message)]);
        if (!ours || !theirs) throw new Error('silence');
        expect(comparable(ours)).toEqual(comparable(theirs));
        expect(decode(ours).questions).toEqual(decode(theirs).questions);
      }),
      { seed: SEED, numRuns: QUERIES },
    );
  }, 120_000);
});

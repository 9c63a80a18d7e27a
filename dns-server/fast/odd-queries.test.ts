/** Odd queries are answered alike on every path: ordinary, prepared, in batches by a thread, and in pieces over TCP. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { judgeCookie } from '../cookies/cookies.ts';
import { parseIp } from '../geo/ip-address.ts';
import { chooseUdp } from '../listen/choose-udp.ts';
import { listenTcp } from '../listen/tcp.ts';
import type { DnsMetrics } from '../metrics.ts';
import { askTcp, framed } from '../testing/ask.ts';
import { type OddContext, oddQuery } from '../testing/odd-queries.ts';
import { TEST_COOKIE_SECRET } from '../testing/responder.ts';
import { TWIN_PLAN, twins } from '../testing/twins.ts';

const SEED = 20_261_123;
const NAMES = [
  'video.demo.cdn.example.net',
  'b.demo.cdn.example.net',
  'c.demo.cdn.example.net',
  'none.demo.cdn.example.net',
  'cdn.example.net',
  'example.org',
];
const NOW = 1_700_000_000_000;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function contextOf(source: string, now = NOW): OddContext {
  const address = parseIp(source);
  if (address === undefined) throw new Error(`${source} is no address`);
  return { names: NAMES, secret: TEST_COOKIE_SECRET, source: address, now };
}

/** What the server says of what it answered, signatures and the process apart. */
async function counted(metrics: DnsMetrics): Promise<string[]> {
  const text = await metrics.registry.metrics();
  const names = 'queries|answers|truncated|choice_steps|cookies|limited|query_failures';
  return text
    .split('\n')
    .filter((line) => new RegExp(`^weir_dns_(${names})_?`).test(line))
    .sort();
}

test.each(['8.8.8.8', '202.102.224.68', '240e::1', '::ffff:8.8.8.8'])(
  'from %s on the ordinary and the prepared path, and counted alike',
  async (source) => {
    const { fast, ordinary } = twins(TWIN_PLAN);
    const context = contextOf(source);
    const { prepared } = fast.service;
    const taken = { all: 0, withGoodCookie: 0 };
    fc.assert(
      fc.property(oddQuery(context), (query) => {
        // Once to learn, then as it was learnt.
        for (let time = 0; time < 2; time++)
          expect(fast.ask(query, source)).toBe(ordinary.ask(query, source));
        if (!prepared.answer(query, context.source, NOW)) return;
        taken.all++;
        if (prepared.hasGoodCookie()) taken.withGoodCookie++;
      }),
      { seed: SEED, numRuns: 5_000 },
    );
    // Not all of them took the ordinary path.
    expect(taken.all).toBeGreaterThan(200);
    expect(taken.withGoodCookie).toBeGreaterThan(20);
    expect(await counted(fast.metrics)).toEqual(await counted(ordinary.metrics));
    const cookies = (await counted(fast.metrics)).filter((line) =>
      line.startsWith('weir_dns_cookies_total{'),
    );
    expect(cookies.map((line) => /"(.*)"/.exec(line)?.[1])).toEqual(['absent', 'bad', 'good']);
  },
);

test('as its cookies grow old, get new ones and expire', () => {
  const { fast, ordinary } = twins(TWIN_PLAN);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(oddQuery(contextOf('8.8.8.8')), fc.nat(500)), { maxLength: 20 }),
      (steps) => {
        for (const [query, seconds] of steps) {
          for (const { clock } of [fast, ordinary]) clock.advance(100 * seconds);
          for (let time = 0; time < 2; time++)
            expect(fast.ask(query, '8.8.8.8')).toBe(ordinary.ask(query, '8.8.8.8'));
        }
      },
    ),
    { seed: SEED, numRuns: 100 },
  );
});

test.each([
  ['of responses', { responses: { perSecond: 5, burst: 5, slip: 2 }, exempt: [] }],
  ['of a client', { perClient: 5, exempt: [] }],
])('over a limit %s, which good cookies lift or not', async (_, rateLimit) => {
  const { fast, ordinary } = twins({ ...TWIN_PLAN, rateLimit });
  const source = '203.0.113.9';
  fc.assert(
    fc.property(oddQuery(contextOf(source)), fc.nat(100), (query, ms) => {
      for (const { clock } of [fast, ordinary]) clock.advance(ms);
      for (let time = 0; time < 3; time++) expect(fast.ask(query, source)).toBe(ordinary.ask(query, source));
    }),
    { seed: SEED, numRuns: 2_000 },
  );
  const counts = await counted(fast.metrics);
  expect(counts).toEqual(await counted(ordinary.metrics));
  expect(counts.filter((line) => line.startsWith('weir_dns_limited_total{'))).not.toEqual([]);
});

/** With numbers of their own, by which answers are known; none is shorter than a header. */
function numbered(queries: readonly Buffer[]): Buffer[] {
  return queries
    .filter(({ length }) => length >= 12)
    .map((query, index) => {
      const own = Buffer.from(query);
      own.writeUInt16BE(index, 0);
      return own;
    });
}

/** A thread has a clock of its own: in place of our half of a cookie, whether it is good now. */
function withoutTime(answer: string, { secret, source }: OddContext): string {
  return answer.replace(/(?<=000a0018)[0-9a-f]{48}/, (cookie) => {
    const { server } = judgeCookie(secret, Buffer.from(cookie, 'hex'), source, Date.now());
    return `${cookie.slice(0, 16)} ${server} `;
  });
}

test('from a socket, in batches', async () => {
  const context = contextOf('127.0.0.1', Date.now());
  const { fast, ordinary } = twins(TWIN_PLAN, context.now);
  const { handle, prepared } = fast.service;
  const open = await chooseUdp({ mode: 'on', workers: 1, prepared, limits: () => undefined }, silentLog);
  const listener = await open({ host: '127.0.0.1', port: 0 }, handle, silentLog);
  stops.push(() => listener.stop());
  const socket = createSocket('udp4');
  stops.push(async () => void socket.close());
  socket.connect(listener.bound.port, '127.0.0.1');
  await once(socket, 'connect');
  const answers = new Map<number, string>();
  socket.on('message', (answer) => answers.set(answer.readUInt16BE(0), answer.toString('hex')));
  const queries = numbered(fc.sample(oddQuery(context), { seed: SEED, numRuns: 2_000 }));
  const expected = queries.map((query) => ordinary.ask(query, '127.0.0.1'));
  for (let round = 0; round < 2; round++) {
    answers.clear();
    // Few at a time: what a socket has no room for is lost.
    for (let at = 0; at < queries.length; at += 50) {
      for (const query of queries.slice(at, at + 50)) socket.send(query);
      const speaking = expected.slice(0, at + 50).filter((answer) => answer !== 'silence').length;
      await eventually(() => expect(answers.size).toBe(speaking));
    }
    const given = queries.map((_, index) => withoutTime(answers.get(index) ?? 'silence', context));
    expect(given).toEqual(expected.map((answer) => withoutTime(answer, context)));
  }
});

test('in pieces over TCP, one behind the other', async () => {
  const { ordinary } = twins(TWIN_PLAN);
  const source = contextOf('127.0.0.1').source;
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, ordinary.service.handle, silentLog);
  stops.push(() => listener.stop());
  const answered = numbered(fc.sample(oddQuery(contextOf('127.0.0.1')), { seed: SEED, numRuns: 300 })).filter(
    (query) => ordinary.service.handle(query, source, 'tcp') !== undefined,
  );
  const expected = answered.map((query) => ordinary.service.handle(query, source, 'tcp')?.toString('hex'));
  const stream = Buffer.concat(answered.map(framed));
  const sizes = fc.sample(fc.integer({ min: 1, max: 90 }), { seed: SEED, numRuns: stream.length });
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += chunks.at(-1)?.length ?? 1)
    chunks.push(stream.subarray(at, at + (sizes[chunks.length] ?? 1)));
  const answers = await askTcp(listener.bound, chunks, expected.length);
  expect(answers.map((answer) => answer.toString('hex'))).toEqual(expected);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { parseIp } from '../geo/ip-address.ts';
import { DnsMetrics } from '../metrics.ts';
import { preparePlan } from '../plan/prepare.ts';
import { Service } from '../service.ts';
import { decode, optOf, queryBytes } from '../testing/ask.ts';
import { published, readyTable, TEST_GEO, testPlan } from '../testing/routing-plan.ts';
import { counterMemory, DecayingCounters } from './decaying-counters.ts';
import { createGate, createLimits } from './gate.ts';

const NAME = 'cdn.example.net';

function start(rateLimit: NonNullable<RoutingPlan['rateLimit']>) {
  const clock = new FakeClock();
  const metrics = new DnsMetrics();
  const service = new Service({ name: 'dns-test', geo: TEST_GEO, metrics, log: silentLog, clock });
  const plan = { ...testPlan(), rateLimit };
  service.usePlan(preparePlan(published(plan)));
  service.useTable(readyTable(plan));
  const send = (
    source: string,
    message = queryBytes(NAME, { type: 'SOA' }),
    transport: 'udp' | 'tcp' = 'udp',
  ) => {
    const from = parseIp(source);
    if (!from) throw new Error(source);
    const bytes = service.handle(message, from, transport);
    return bytes && Buffer.from(bytes);
  };
  /** What became of so many queries at once. */
  const burst = (count: number, source: string | ((index: number) => string), message?: Buffer) => {
    const seen = { answered: 0, truncated: 0, dropped: 0 };
    for (let index = 0; index < count; index++) {
      const bytes = send(typeof source === 'string' ? source : source(index), message);
      if (!bytes) seen.dropped++;
      else if (bytes.readUInt16BE(2) & 0x200) seen.truncated++;
      else seen.answered++;
    }
    return seen;
  };
  const text = () => metrics.registry.metrics();
  return { send, burst, clock, text, service, plan };
}

const KNOT = { responses: { perSecond: 50, burst: 125, slip: 1 }, exempt: ['127.0.0.0/8', '2001:db8::/32'] };
const SOURCE = '198.51.100.7';

describe('response rate limiting', () => {
  test('answers a burst, then so many a second, and says TC to the rest', async () => {
    const { burst, clock, text } = start(KNOT);
    expect(burst(1_000, SOURCE)).toEqual({ answered: 125, truncated: 875, dropped: 0 });
    let answered = 0;
    for (let second = 0; second < 20; second++) {
      for (let tenth = 0; tenth < 10; tenth++) {
        clock.advance(100);
        answered += burst(50, SOURCE).answered;
      }
    }
    expect(answered / 20).toBeGreaterThan(45);
    expect(answered / 20).toBeLessThan(52);
    expect(await text()).toContain('weir_dns_limited_total{limit="responses",verdict="truncated"}');
    expect(burst(1, '198.51.100.8').answered).toBe(1);
  });

  test('a truncated answer has the question, TC and nothing else, so that it amplifies nothing', () => {
    const { send, burst } = start(KNOT);
    burst(125, SOURCE);
    const query = queryBytes(NAME, { type: 'SOA', edns: {} });
    const packet = decode(send(SOURCE, query) ?? Buffer.alloc(0));
    expect(packet).toMatchObject({ flag_tc: true, answers: [], authorities: [], rcode: 'NOERROR' });
    expect([packet.questions?.[0]?.name, optOf(packet)?.udpPayloadSize]).toEqual([NAME, 1_232]);
    expect(send(SOURCE, query)?.length).toBeLessThanOrEqual(query.length);
  });

  test.each([
    [0, { answered: 125, truncated: 0, dropped: 100 }],
    [2, { answered: 125, truncated: 50, dropped: 50 }],
  ])('with slip %i', async (slip, seen) => {
    const { burst, text } = start({ ...KNOT, responses: { ...KNOT.responses, slip } });
    expect(burst(225, SOURCE)).toEqual(seen);
    expect(await text()).toContain(
      `weir_dns_limited_total{limit="responses",verdict="dropped"} ${seen.dropped}`,
    );
    expect(await text()).toContain('rcode="silence"');
  });

  test.each([
    ['a /24 has 32 times the limit of an address', (index: number) => `198.51.100.${index % 256}`, 32 * 125],
    ['a /64 twice', (index: number) => `2a00::${(index % 1_000).toString(16)}`, 2 * 125],
  ])('%s', (_, source, answered) => {
    expect(start(KNOT).burst(answered + 500, source).answered).toBe(answered);
  });

  test('does not concern TCP, exempt networks, or who sends a cookie of ours', async () => {
    const { burst, send, text } = start(KNOT);
    expect(burst(500, '127.0.0.1').answered).toBe(500);
    expect(burst(500, '2001:db8::1').answered).toBe(500);
    const cookie = (data: Buffer) =>
      queryBytes(NAME, { type: 'SOA', edns: { options: [{ code: 10, data }] } });
    const first = decode(send(SOURCE, cookie(Buffer.alloc(8, 7))) ?? Buffer.alloc(0));
    const ours = optOf(first)?.options.find(({ code }) => code === 10)?.data;
    burst(500, SOURCE);
    expect(burst(500, SOURCE, cookie(ours ?? Buffer.alloc(8))).answered).toBe(500);
    expect(burst(10, SOURCE, cookie(Buffer.alloc(24, 7))).truncated).toBe(10);
    expect(send(SOURCE, undefined, 'tcp')?.readUInt16BE(2)).toBe(0x8400);
    expect(await text()).toContain('weir_dns_cookies_total{result="good"} 500');
    expect(await text()).toContain('weir_dns_cookies_total{result="bad"} 10');
    expect(await text()).toContain('weir_dns_cookies_total{result="absent"} 1');
  });

  test('a plan with the same limits keeps what was counted', () => {
    const { burst, service, plan } = start(KNOT);
    burst(125, SOURCE);
    service.usePlan(preparePlan(published(structuredClone(plan))));
    expect(burst(10, SOURCE).answered).toBe(0);
  });
});

test('threads that answer share one limit', () => {
  const limits = createLimits(KNOT);
  const gates = [createGate(limits), createGate(structuredClone(limits))];
  const source = parseIp(SOURCE);
  if (!source) throw new Error(SOURCE);
  const verdicts = Array.from({ length: 400 }, (_, index) => gates[index % 2]?.(source, false, 0).verdict);
  expect(verdicts.filter((verdict) => verdict === 'Answer')).toHaveLength(KNOT.responses.burst);
});

describe('the limit per client', () => {
  test('answers TC beyond it, and never silence; a cookie does not help', async () => {
    const { burst, clock, text } = start({ perClient: 20, exempt: [] });
    expect(burst(1_000, SOURCE)).toEqual({ answered: 20, truncated: 980, dropped: 0 });
    clock.advance(60_000);
    expect(burst(100, SOURCE).answered).toBe(20);
    expect(await text()).toContain('weir_dns_limited_total{limit="client",verdict="truncated"} 1060');
  });
});

test('counters never show less than what was counted of late, whoever shares their table', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 200 }), (keys) => {
      const counters = new DecayingCounters(counterMemory(1), 1_000);
      const counted = [0, 0, 0, 0];
      for (const key of keys) {
        counters.count(counters.place(0, key + 1, 0));
        counted[key] = (counted[key] ?? 0) + 1;
      }
      for (const [key, count] of counted.entries()) {
        if (count > 0) expect(counters.load(counters.place(0, key + 1, 0))).toBe(count);
      }
    }),
    { seed: 20_261_122, numRuns: 200 },
  );
});

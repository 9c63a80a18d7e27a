/**
 * What the protocol asks of an authoritative server, sent to a running one as real packets: each way to answer UDP, what
 * is prepared and what is not, and TCP. The whole answer is compared, and every counter that moved.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planWithRecords } from '../../dns-server/testing/answering.ts';
import { askTcp, askUdp, framed, queryBytes } from '../../dns-server/testing/ask.ts';
import { testDomain, testNode, testPlan } from '../../dns-server/testing/routing-plan.ts';
import { type Way, ZONE } from './cases/case.ts';
import { BEHIND, SILENT, SOA_LINES } from './cases/malformed.ts';
import { textOf } from './message.ts';
import { CASES } from './protocol-cases.ts';
import { type Serving, serve } from './serving.ts';

let edges: Server;

/** Nodes on loopback addresses, all of them up; their states can not change before a TTL has run out. */
async function startEdges(): Promise<number> {
  edges = createServer((_, response) => void response.end());
  await new Promise<void>((resolve) => edges.listen(0, '0.0.0.0', resolve));
  return (edges.address() as AddressInfo).port;
}

function planOf(port: number) {
  const node = (name: string, region: string, address: string) => {
    const { healthCheck } = testNode(name, region);
    return testNode(name, region, {
      addresses: [address],
      healthCheck: { ...healthCheck, port, intervalMs: 60_000 },
    });
  };
  const records = planWithRecords([
    'www A ttl=60 192.0.2.7',
    'www AAAA 2001:db8::7',
    'alias CNAME ttl=120 www',
    'nowhere CNAME missing',
    'outside CNAME www.example.org.',
    'to-video CNAME video.demo.cdn.example.net.',
    'loop-a CNAME loop-b',
    'loop-b CNAME loop-a',
    'deep.er.still TXT here',
    '*.wild TXT any',
    'exact.wild TXT one',
    'a.b.wild TXT two',
    '*.nested.wild TXT inner',
    '*.aliased CNAME www',
    'sub NS ns.sub.cdn.example.net.',
    'ns.sub A 192.0.2.54',
    'old DNAME ttl=600 new.cdn.example.net.',
    'a.new A 192.0.2.70',
    `far DNAME ${['x', 'y', 'z'].map((letter) => letter.repeat(60)).join('.')}.example.org.`,
    '@ MX 10 www',
    '_sip._tcp SRV 1 2 5060 www',
    'ptr PTR host.example.org.',
    `fits TXT "${'f'.repeat(239)}" "${'f'.repeat(221)}"`,
    `over TXT "${'o'.repeat(239)}" "${'o'.repeat(222)}"`,
    'crowd MX 10 host.crowd.cdn.example.net.',
    ...Array.from({ length: 40 }, (_, index) => `host.crowd A 192.0.2.${index}`),
    'host.crowd AAAA 2001:db8::40',
    ...Array.from({ length: 3 }, (_, index) => `medium TXT "${String(index).repeat(200)}"`),
    ...Array.from({ length: 6 }, (_, index) => `large TXT "${String(index).repeat(220)}"`),
  ]);
  return testPlan({
    zones: records.zones,
    nodes: [
      node('bj-1', 'cn-north', '127.0.1.1'),
      node('zz-1', 'cn-central', '127.0.2.1'),
      node('la-1', 'us-west', '127.0.3.1'),
    ],
    domains: [testDomain({ answers: 1 })],
  });
}

beforeAll(async () => {
  healthPort = await startEdges();
});
let healthPort: number;
afterAll(() => void edges.close());

/** Steps of a choice are told apart in main.test.ts, probes run beside. */
const BESIDE = /^weir_dns_(choice_steps|probes|geo_compilations)_total/;

async function movedBy(serving: Serving, act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await serving.counters();
  await act();
  const moved = [...(await serving.counters())].map(
    ([name, value]) => [name, value - (before.get(name) ?? 0)] as const,
  );
  return Object.fromEntries(moved.filter(([name, by]) => by !== 0 && !BESIDE.test(name)));
}

/** Of so many bytes in hexadecimal, as two bytes. */
function lengthOf(hex: string, more: number): string {
  return (hex.length / 2 + more).toString(16).padStart(4, '0');
}

/** A query for the SOA record with a cookie whose server half is this. */
const countedSoa = (way: Way, cookie: string) => ({
  [`weir_dns_queries_total{transport="${way}",type="SOA",rcode="NOERROR"}`]: 1,
  [`weir_dns_cookies_total{result="${cookie}"}`]: 1,
});

async function exchange({ at }: Serving, way: Way, message: Buffer): Promise<Buffer | undefined> {
  return way === 'tcp' ? (await askTcp(at, [framed(message)], 1))[0] : askUdp(at, message);
}

describe.each([
  ['packet by packet', 'off', 'udp'],
  ['in batches', 'on', 'udp'],
  ['on a connection', 'off', 'tcp'],
] as const)('%s', (_, batch, way) => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await serve(planOf(healthPort), batch);
  });
  afterAll(() => serving.stop());

  test.each(CASES.filter(({ only = way }) => only === way).map((each) => [each.what, each] as const))(
    '%s',
    async (_, { message, answer, counted }) => {
      // The first may be chosen, the second is prepared where such queries are: nobody can tell.
      for (let time = 0; time < 2; time++) {
        let got: Buffer | undefined;
        const moved = await movedBy(serving, async () => {
          got = await exchange(serving, way, message);
        });
        expect(got && textOf(got)).toEqual(answer);
        expect(got?.readUInt16BE(0)).toBe(message.readUInt16BE(0));
        expect(moved).toEqual(counted(way));
      }
    },
  );

  test.each(SILENT)('%s is met with silence, and what comes behind it is answered', async (_, message) => {
    const moved = await movedBy(serving, async () => {
      if (way === 'tcp') {
        const [first] = await askTcp(serving.at, [framed(message), framed(BEHIND)], 1);
        expect(first?.readUInt16BE(0)).toBe(BEHIND.readUInt16BE(0));
      } else {
        const silence = askUdp(serving.at, message, 300);
        expect(await askUdp(serving.at, BEHIND)).toBeDefined();
        expect(await silence).toBeUndefined();
      }
    });
    expect(moved).toEqual({
      [`weir_dns_queries_total{transport="${way}",type="SOA",rcode="NOERROR"}`]: 1,
      [`weir_dns_queries_total{transport="${way}",type="other",rcode="silence"}`]: 1,
    });
  });

  test('a cookie comes back with one of ours, which is known again (RFC 7873, 9018)', async () => {
    const cookie = (hex: string) =>
      queryBytes(ZONE, { type: 'SOA', edns: { options: [{ code: 10, data: Buffer.from(hex, 'hex') }] } });
    const client = '0102030405060708';
    let ours = '';
    const first = await movedBy(serving, async () => {
      const lines = textOf((await exchange(serving, way, cookie(client))) ?? Buffer.alloc(0));
      ours = /^opt 1232 v0 10:([0-9a-f]{48})$/.exec(lines.at(-1) ?? '')?.[1] ?? '';
      expect(lines.slice(0, -1)).toEqual(SOA_LINES);
    });
    expect(ours.slice(0, 18)).toBe(`${client}01`);
    expect(first).toEqual(countedSoa(way, 'absent'));
    const second = await movedBy(serving, async () => {
      const lines = textOf((await exchange(serving, way, cookie(ours))) ?? Buffer.alloc(0));
      expect(lines).toEqual([...SOA_LINES, `opt 1232 v0 10:${ours}`]);
    });
    expect(second).toEqual(countedSoa(way, 'good'));
  });

  test('a cookie that is not ours is answered, with one that is', async () => {
    const forged = queryBytes(ZONE, {
      type: 'SOA',
      edns: { options: [{ code: 10, data: Buffer.from(`0102030405060708${'01000000'.repeat(4)}`, 'hex') }] },
    });
    const moved = await movedBy(serving, async () => {
      const lines = textOf((await exchange(serving, way, forged)) ?? Buffer.alloc(0));
      expect(lines.slice(0, -1)).toEqual(SOA_LINES);
      expect(lines.at(-1)).toMatch(/^opt 1232 v0 10:010203040506070801000000[0-9a-f]{24}$/);
    });
    expect(moved).toEqual(countedSoa(way, 'bad'));
  });

  test('a cookie alone, without a question, is answered with one, or told that it is not (RFC 7873 5.4)', async () => {
    const alone = async (hex: string) => {
      const opt = Buffer.from(`00002904d000000000${lengthOf(hex, 4)}000a${lengthOf(hex, 0)}${hex}`, 'hex');
      const message = Buffer.concat([Buffer.from('471100000000000000000001', 'hex'), opt]);
      const got = textOf((await exchange(serving, way, message)) ?? Buffer.alloc(0));
      const [head, line = ''] = got;
      return { got, head, cookie: /^opt 1232 v0 10:([0-9a-f]{48})$/.exec(line)?.[1] ?? line };
    };
    const client = '0102030405060708';
    let ours = '';
    const first = await movedBy(serving, async () => {
      const { got, head, cookie } = await alone(client);
      expect([got.length, head, cookie.slice(0, 24)]).toEqual([2, 'NOERROR qr', `${client}01000000`]);
      ours = cookie;
    });
    const good = await movedBy(serving, async () => {
      expect(await alone(ours)).toMatchObject({ head: 'NOERROR qr', cookie: ours });
    });
    const bad = await movedBy(serving, async () => {
      const forged = `${client}01000000${'00'.repeat(12)}`;
      const { head, cookie } = await alone(forged);
      expect([head, cookie.slice(0, 24)]).toEqual(['BADCOOKIE qr', `${client}01000000`]);
      expect(cookie).not.toBe(forged);
    });
    const counted = (rcode: string, result: string) => ({
      [`weir_dns_queries_total{transport="${way}",type="other",rcode="${rcode}"}`]: 1,
      [`weir_dns_cookies_total{result="${result}"}`]: 1,
    });
    expect([first, good, bad]).toEqual([
      counted('NOERROR', 'absent'),
      counted('NOERROR', 'good'),
      counted('BADCOOKIE', 'bad'),
    ]);
  });
});

test('queries that come at once on a connection are all answered, in order (RFC 7766 6.2.1.1)', async () => {
  const serving = await serve(planOf(healthPort), 'off');
  const messages = CASES.filter(({ only = 'tcp' }) => only === 'tcp').map(({ message, answer }, index) => {
    const own = Buffer.from(message);
    own.writeUInt16BE(index, 0);
    return { own, answer };
  });
  const got = await askTcp(
    serving.at,
    [Buffer.concat(messages.map(({ own }) => framed(own)))],
    messages.length,
  );
  expect(got.map((bytes) => bytes.readUInt16BE(0))).toEqual(messages.map((_, index) => index));
  expect(got.map(textOf)).toEqual(messages.map(({ answer }) => answer));
  await serving.stop();
});

import pino from 'pino';
import { describe, expect, test, vi } from 'vitest';
import { FakeClock } from '../lib/clock.ts';
import { createView } from './answer/view.ts';
import type { GeoDatabase } from './geo/geo-database.ts';
import { parseIp } from './geo/ip-address.ts';
import { DnsMetrics } from './metrics.ts';
import { preparePlan } from './plan/prepare.ts';
import { Service } from './service.ts';
import { decode, lines, queryBytes } from './testing/ask.ts';
import { published, readyTable, TEST_GEO, testDomain, testNode, testPlan } from './testing/routing-plan.ts';

/** To count the views that are made. */
vi.mock(import('./answer/view.ts'), { spy: true });

function start(geo: GeoDatabase = TEST_GEO) {
  const logged: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line) as (typeof logged)[0]) });
  const metrics = new DnsMetrics();
  const clock = new FakeClock();
  const service = new Service({ name: 'dns-test', geo, metrics, log, clock });
  const ask = (name: string, client = '202.102.224.68') => {
    const source = parseIp(client);
    const answer = source && service.handle(queryBytes(name), source, 'udp');
    if (answer === undefined) throw new Error('silence');
    return decode(answer);
  };
  return { service, metrics, clock, ask, messages: () => logged.map(({ msg }) => msg) };
}

const VIDEO = 'video.demo.cdn.example.net';
const plan = testPlan();
const down = plan.nodes.map(({ name, addresses }) => ({
  node: name,
  addresses: addresses.map((address) => ({ address, healthy: false, detail: 'tested' })),
}));

test('a query that fails is SERVFAIL, is counted, and stands in the log once', async () => {
  const { service, metrics, ask, messages } = start({
    locate: () => {
      throw new Error('damaged database');
    },
  });
  service.usePlan(preparePlan(published(plan)));
  service.useTable(readyTable(plan));
  for (let i = 0; i < 3; i++) expect(ask(VIDEO).rcode).toBe('SERVFAIL');
  expect(ask('cdn.example.net').rcode).toBe('NOERROR');
  expect(await metrics.registry.metrics()).toContain('weir_dns_query_failures_total 3');
  expect(messages()).toEqual(['a query failed; answered SERVFAIL']);
});

test('an alarm is logged when it is raised and when it is over', () => {
  const { service, messages } = start();
  service.usePlan(preparePlan(published(plan)));
  service.useTable(readyTable(plan));
  for (const health of [down, down, [], []]) service.useHealth(health);
  expect(messages()).toEqual([
    'all nodes are down or not admitted; all are answered',
    'nodes can answer again',
  ]);
});

test('subdivisions that no flat database can know are told', () => {
  const { service, messages } = start();
  const regions = [
    { name: 'us-west', countries: [], subdivisions: ['DE-BY'], asns: [], cidrs: [] },
    ...plan.regions.slice(0, 2),
  ];
  service.usePlan(preparePlan(published(testPlan({ regions }))));
  expect(messages()).toEqual([expect.stringContaining('subdivisions without a known name')]);
});

test('a shift begins and ends by the clock, and its share of the queries is counted', async () => {
  const { service, metrics, clock, ask } = start();
  const from = clock.now() + 60_000;
  const shift = { set: 'north', start: 0, percent: 30, from, until: from + 60_000 };
  const all = plan.candidateSets;
  const tiers = [{ by: 'All' as const, name: 'all', nodes: ['bj-1', 'bj-2'] }];
  const regions = plan.regions.map(({ name }) => ({ region: name, tiers }));
  const domains = [testDomain({ shifts: [shift] })];
  const shifted = testPlan({ domains, candidateSets: [...all, { id: 'north', regions }] });
  service.usePlan(preparePlan(published(shifted)));
  service.useTable(readyTable(shifted));
  const north = ['198.51.100.1', '198.51.100.2'];
  /** How many of 512 networks of the centre are sent north. */
  const moved = () => {
    const clients = Array.from({ length: 512 }, (_, unit) => `61.${unit >> 4}.${(unit & 15) << 4}.1`);
    const firsts = clients.map((client) => lines(ask(VIDEO, client).answers)[0]?.split(' ')[1] ?? '');
    return firsts.filter((address) => north.includes(address)).length;
  };
  expect(moved()).toBe(0);
  clock.advance(60_000);
  const share = moved();
  expect(Math.abs(share / 512 - 0.3)).toBeLessThan(0.06);
  const text = await metrics.registry.metrics();
  expect(text).toContain(`weir_dns_shift_queries_total{domain="demo/video",side="moved"} ${share}`);
  expect(text).toContain(`weir_dns_shift_queries_total{domain="demo/video",side="kept"} ${512 - share}`);
  expect(text).toContain(`weir_dns_choice_steps_total{step="candidates",result="All"} ${share}`);
  expect(text).toContain('weir_dns_choice_steps_total{step="health",result="Usable"} 1024');
  clock.advance(60_000);
  expect(moved()).toBe(0);
  service.stop();
});

test('of a thousand nodes whose health changes one by one there are few views, and the last of them has it all', () => {
  const { service, clock, ask } = start();
  const nodes = Array.from({ length: 1_000 }, (_, index) =>
    testNode(`n-${index}`, 'us-west', { addresses: [`198.51.${100 + (index >> 8)}.${index & 255}`] }),
  );
  const many = testPlan({ nodes, domains: [testDomain({ answers: 1_000 })] });
  service.usePlan(preparePlan(published(many)));
  service.useTable(readyTable(many));
  const before = vi.mocked(createView).mock.calls.length;
  const sight = (healthy: boolean, { name, addresses }: (typeof nodes)[number]) => ({
    node: name,
    addresses: addresses.map((address) => ({ address, healthy, detail: '' })),
  });
  // Half of them go down within two seconds; each time the whole of what is known is told.
  for (let down = 1; down <= 500; down++) {
    service.useHealth(nodes.map((node, index) => sight(index >= down, node)));
    clock.advance(4);
  }
  expect(vi.mocked(createView).mock.calls.length - before).toBeLessThanOrEqual(3);
  clock.advance(1_000);
  expect(vi.mocked(createView).mock.calls.length - before).toBeLessThanOrEqual(4);
  expect(ask('n-0.node.cdn.example.net').answers).toHaveLength(1);
  expect(overTcp(service, VIDEO).answers).toHaveLength(500);
  service.stop();
});

test('with few nodes each change of health is answered from at once', () => {
  const { service, ask } = start();
  service.usePlan(preparePlan(published(plan)));
  service.useTable(readyTable(plan));
  const addresses = () => lines(ask(VIDEO).answers).sort();
  const [, , , , zz1, zz2] = down;
  if (!zz1 || !zz2) throw new Error('nodes');
  expect(addresses()).toEqual(['A 198.51.100.5 60', 'A 198.51.100.6 60']);
  service.useHealth([zz1]);
  expect(addresses()).toEqual(['A 198.51.100.6 60']);
  service.useHealth([zz2]);
  expect(addresses()).toEqual(['A 198.51.100.5 60']);
  service.stop();
});

/** An answer too large for UDP. */
function overTcp(service: Service, name: string) {
  const source = parseIp('9.9.9.9');
  const answer = source && service.handle(queryBytes(name), source, 'tcp');
  if (answer === undefined) throw new Error('silence');
  return decode(answer);
}

describe('make before break', () => {
  const since = (seq: number) => ({ epoch: 3, seq });
  const two = testPlan({
    domains: [testDomain(), testDomain({ uid: 'uid-new', name: 'new', cname: 'new.demo.cdn.example.net' })],
  });
  const offered = { ...published(two), since: { 'uid-video': since(5), 'uid-new': since(8) } };
  const tableWith = (acked: Record<string, number>) => {
    const table = readyTable(two);
    return { ...table, rows: table.rows.map((row) => ({ ...row, acked: since(acked[row.node] ?? 7) })) };
  };

  test('each domain is answered by the nodes that serve it, and by more as they follow', () => {
    const { service, ask } = start();
    const answers = () =>
      [VIDEO, 'new.demo.cdn.example.net'].map((name) =>
        lines(ask(name).answers)
          .map((line) => line.split(' ')[1] ?? '')
          .sort(),
      );
    const both = ['198.51.100.5', '198.51.100.6'];
    service.usePlan(preparePlan(offered));
    service.useTable(tableWith({}));
    expect(answers()).toEqual([both, []]);
    service.useTable(tableWith({ 'zz-2': 8 }));
    expect(answers()).toEqual([both, ['198.51.100.6']]);
    service.useTable(tableWith({ 'zz-1': 9, 'zz-2': 8 }));
    expect(answers()).toEqual([both, both]);
  });
});

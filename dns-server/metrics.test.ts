import { expect, test } from 'vitest';
import { DnsMetrics } from './metrics.ts';
import type { PreparedDomain } from './plan/prepared-plan.ts';

const answered = (label: string) => ({
  length: 100,
  type: 65_280,
  rcode: 0,
  truncated: false,
  domain: { label } as PreparedDomain,
  limited: undefined,
  cookie: 'none' as const,
});

test('neither domains nor types can grow the metrics without end', async () => {
  const metrics = new DnsMetrics();
  for (let index = 0; index < 1_500; index++) metrics.responded('udp', answered(`demo/d${index}`));
  metrics.responded('udp', answered('demo/d7'));
  const text = await metrics.registry.metrics();
  expect(text.match(/^weir_dns_answers_total\{/gm)).toHaveLength(1_001);
  expect(text).toContain('weir_dns_answers_total{domain="demo/d7"} 2');
  expect(text).toContain('weir_dns_answers_total{domain="other"} 500');
  expect(text).toContain('weir_dns_queries_total{transport="udp",type="other",rcode="NOERROR"} 1501');
});

test('a domain whose alarm is over has no series any more', async () => {
  const metrics = new DnsMetrics();
  metrics.allDown(['demo/video']);
  expect(await metrics.registry.metrics()).toContain('weir_dns_alarm_all_down{domain="demo/video"} 1');
  metrics.allDown([]);
  expect(await metrics.registry.metrics()).not.toContain('demo/video');
});

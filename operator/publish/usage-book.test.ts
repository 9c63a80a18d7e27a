import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { usageBook } from './usage-book.ts';

test('each batch of a node counts once, however often it is told', async () => {
  const registry = new Registry();
  const book = usageBook(registry);
  const row = {
    domain: 'demo/video',
    requests: 3,
    clientBytes: 15,
    originBytes: 10,
    statuses: { '2xx': 2, '4xx': 1 },
    results: { miss: 2, hit: 1 },
  };
  const batch = { id: '1-ab-0', minute: 1, rows: [row] };
  book.note('a', [batch]);
  book.note('a', [batch, { ...batch, id: '2-ab-0' }]);
  book.note('b', [batch]);
  const text = await registry.metrics();
  expect(text).toContain('weir_operator_usage_requests_total{domain="demo/video",result="hit"} 3');
  expect(text).toContain('weir_operator_usage_statuses_total{domain="demo/video",class="2xx"} 6');
  expect(text).toContain('weir_operator_usage_client_bytes_total{domain="demo/video"} 45');
  expect(text).toContain('weir_operator_usage_origin_bytes_total{domain="demo/video"} 30');
});

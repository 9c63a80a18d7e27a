import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('what was counted aside is there whenever the metrics are read, and once', async () => {
  const metrics = createMetrics();
  const read = async () =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter((line) => /^weir_edge_(requests|fast_hits|client_bytes)_total/.test(line));
  metrics.countAnswer('demo/video', 'hit');
  metrics.countAnswer('demo/video', 'hit');
  metrics.countAnswer('demo/video', 'miss');
  metrics.countFastHit();
  metrics.countSent('demo/video', 1_000);
  metrics.countSent('demo/other', 24);
  const lines = [
    'weir_edge_requests_total{domain="demo/video",result="hit"} 2',
    'weir_edge_requests_total{domain="demo/video",result="miss"} 1',
    'weir_edge_fast_hits_total 1',
    'weir_edge_client_bytes_total{domain="demo/video"} 1000',
    'weir_edge_client_bytes_total{domain="demo/other"} 24',
  ];
  expect(await read()).toEqual(lines);
  expect(await read()).toEqual(lines);
  metrics.countAnswer('demo/video', 'hit');
  expect((await read())[0]).toBe('weir_edge_requests_total{domain="demo/video",result="hit"} 3');
});

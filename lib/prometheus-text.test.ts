import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { parsePrometheusText } from './prometheus-text.ts';

test('reads what the metrics library writes', async () => {
  const registry = new Registry();
  const name = 'weir_test_node_bytes';
  const gauge = new Gauge({ name, help: 'A "test".', labelNames: ['node', 'tier'], registers: [registry] });
  gauge.set({ node: 'zz-1', tier: 'a "b" \\ {c="d"}\n' }, 1.5e9);
  gauge.set({ node: 'la-1', tier: '' }, 0);
  new Gauge({ name: 'weir_test_up', help: 'Plain.', registers: [registry] }).set(3);
  expect(parsePrometheusText(await registry.metrics())).toEqual([
    { name, labels: { node: 'zz-1', tier: 'a "b" \\ {c="d"}\n' }, value: 1.5e9 },
    { name, labels: { node: 'la-1', tier: '' }, value: 0 },
    { name: 'weir_test_up', labels: {}, value: 3 },
  ]);
});

/** The metrics of the main process and of its workers as those of one edge: what counts is summed. */
import { AggregatorRegistry, type Registry } from 'prom-client';
import { type CountsByDomain, countTraffic } from '../load/traffic.ts';
import type { Figures } from './messages.ts';

export interface SummedMetrics extends Pick<Registry, 'metrics' | 'contentType'> {
  traffic(): Promise<CountsByDomain>;
}

export function summedMetrics(own: Registry, figures: () => Promise<Figures[]>): SummedMetrics {
  const sum = async () => {
    const [mine, others] = await Promise.all([own.getMetricsAsJSON(), figures()]);
    return AggregatorRegistry.aggregate([mine, ...others.map(({ metrics }) => metrics)]);
  };
  const counted = (registry: ReturnType<typeof AggregatorRegistry.aggregate>, name: string) => ({
    get: async () => (await registry.getSingleMetric(name)?.get()) ?? { values: [] },
  });
  return {
    contentType: own.contentType,
    metrics: async () => await (await sum()).metrics(),
    async traffic() {
      const registry = await sum();
      return await countTraffic({
        requests: counted(registry, 'weir_edge_requests_total'),
        clientBytes: counted(registry, 'weir_edge_client_bytes_total'),
      });
    },
  };
}

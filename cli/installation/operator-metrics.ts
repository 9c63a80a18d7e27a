/** The metrics of the operator that leads, through the API server's proxy to its pod: no connection of our own to it. */
import { z } from 'zod';
import { hasStatus, type KubernetesApi } from '../../operator/kubernetes/api.ts';

const OPERATORS = 'app.kubernetes.io/name=weir,app.kubernetes.io/component=operator';

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        namespace: z.string(),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
    }),
  ),
});

/** Nothing where no operator runs as a pod that one may ask; only the one that leads has nodes to tell of. */
export async function operatorMetrics(api: KubernetesApi): Promise<string | undefined> {
  try {
    const { items } = pods.parse(await api.get('/api/v1/pods', { labelSelector: OPERATORS }));
    for (const { metadata } of items) {
      const { name, namespace, annotations } = metadata;
      const scheme = annotations['prometheus.io/scheme'] ?? 'http';
      const port = annotations['prometheus.io/port'] ?? '8700';
      const target = `${scheme}:${name}:${port}`;
      // One that has just been started or ended does not answer, another one may.
      const text = await api
        .text(`/api/v1/namespaces/${namespace}/pods/${target}/proxy/metrics`)
        .catch(ifGone);
      if (text?.includes('weir_operator_nodes')) return text;
    }
    return undefined;
  } catch (error) {
    if (hasStatus(error, 403)) return undefined;
    throw error;
  }
}

function ifGone(error: unknown): undefined {
  if (hasStatus(error, 403, 404, 500, 502, 503, 504)) return undefined;
  throw error;
}

/** How a domain fares with HTTPS, for below the explanation of its answer. Pure. */
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { conditionOf } from '../resource-views.ts';

interface Named {
  namespace: string;
  name: string;
}

/** Nothing for a domain that is not to be served over TLS. */
export function tlsLines({ namespace, name }: Named, views: readonly ResourceView[]): string[] {
  const view = views.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  const found = view && conditionOf(view, 'CertificateReady');
  if (!found || found.reason === 'NoTls') return [];
  return [`tls     ${found.status === 'True' ? 'ready' : found.reason}: ${found.message}`];
}

/**
 * The EdgeNode of a Kubernetes node is called as that is. Names of nodes may have dots (`ip-10-0-0-1.ec2.internal`),
 * which a label of `<node>.node.<zone>` can't have: they become dashes. Both sides of the stream go by this.
 */
import { createHash } from 'node:crypto';

/** Of a DNS label (RFC 1035 2.3.4). */
const MAX = 63;
const HASH = 8;

export function edgeNodeName(kubernetesNode: string): string {
  const label = kubernetesNode.replaceAll('.', '-');
  if (label.length <= MAX) return label;
  // Cut alone, two long names of one domain would be the same.
  const hash = createHash('sha256').update(kubernetesNode).digest('hex').slice(0, HASH);
  return `${label.slice(0, MAX - HASH - 1)}-${hash}`;
}

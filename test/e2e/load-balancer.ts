/** Stands in for a cloud's load balancers: the node gets the address that a Service asks for, and the Service is told. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Cluster } from '../cluster/cluster.ts';

export async function giveLoadBalancer(cluster: Cluster, namespace: string, service: string): Promise<void> {
  const asked = ['get', 'service', service, '-n', namespace, '-o', 'jsonpath={.spec.loadBalancerIP}'];
  const ip = await cluster.kubectl(asked);
  const node = `${process.env.WEIR_E2E_NETWORK}-node`;
  await promisify(execFile)('ip', ['-n', node, 'address', 'replace', `${ip}/24`, 'dev', 'eth0']);
  const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } });
  await cluster.kubectl(['patch', 'service', service, '-n', namespace, '--subresource=status', '-p', status]);
}

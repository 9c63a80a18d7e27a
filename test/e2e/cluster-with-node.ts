/**
 * A cluster whose pods really run: the test control plane and one node, in a network namespace on a LAN where this
 * process stands as a client. `test/e2e/run.sh` makes the LAN and comes here within it; programs and images are in
 * `WEIR_E2E_FOLDER`, made before, since nothing is reached from the LAN.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { KUBELET_KUBECONFIG } from '../cluster/control-plane.ts';

/** As node.sh gives it. */
export const NODE_ADDRESS = '10.1.0.1';
const NODE_SCRIPT = join(import.meta.dirname, '..', 'cluster', 'node.sh');

export interface ClusterWithNode {
  cluster: Cluster;
  stop(): Promise<void>;
}

export async function startClusterWithNode(): Promise<ClusterWithNode> {
  const { WEIR_E2E_NETWORK: network, WEIR_E2E_FOLDER: folder } = process.env;
  if (!network || !folder) throw new Error('start these tests with `npm run test:e2e`');
  const cluster = await startCluster({
    network: { namespace: `${network}-node`, address: NODE_ADDRESS },
    crds: false,
  });
  const kubelet = join(dirname(cluster.kubeconfig), KUBELET_KUBECONFIG);
  await copyFile(cluster.kubeconfig, join(folder, 'kubeconfig'));
  await copyFile(kubelet, join(folder, KUBELET_KUBECONFIG));
  const images = ['pause.tar', 'weir.tar'].map((name) => join(folder, name));
  const node = spawn(NODE_SCRIPT, ['run', network, folder, ...images], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await isUp(node);
  return {
    cluster,
    async stop() {
      const ended = new Promise((resolve) => node.once('exit', resolve));
      node.kill('SIGTERM');
      await ended;
      await cluster.stop();
    },
  };
}

async function isUp(node: ChildProcess): Promise<void> {
  const ended = new Promise<never>((_resolve, reject) =>
    node.once('exit', (code) => reject(new Error(`node.sh ended with ${code}`))),
  );
  const said = async () => {
    if (!node.stdout) return;
    for await (const line of createInterface(node.stdout)) if (line === 'node is up') return;
  };
  await Promise.race([said(), ended]);
}

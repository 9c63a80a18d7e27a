/** Kubernetes nodes with an edge pod, as kubelets would show them: there is none here. */
import { type Cluster, TEST_LABELS } from './cluster.ts';

const NAMESPACE = 'weir-system';

export interface EdgePods {
  /** A node at an address, and a pod on it that is not Ready yet. */
  addNode(name: string, address: string, labels?: Record<string, string>): Promise<void>;
  addPod(node: string, name?: string): Promise<void>;
  setReady(pod: string): Promise<void>;
  /** It is told to end, and does not: there is no kubelet. */
  endSoon(pod: string): Promise<void>;
  end(pod: string): Promise<void>;
}

export function edgePods(cluster: Cluster, { port = 8080, serviceAccountName = 'default' } = {}): EdgePods {
  const patchStatus = (what: string[], status: unknown) =>
    cluster.kubectl([
      'patch',
      ...what,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]);
  const inNamespace = (name: string) => ['pod', name, '-n', NAMESPACE];
  const pods: EdgePods = {
    async addNode(name, address, labels = {}) {
      const metadata = {
        name,
        labels: { 'topology.kubernetes.io/region': 'cn-north-1', ...TEST_LABELS, ...labels },
      };
      await cluster.kubectl(['create', '-f', '-'], [{ apiVersion: 'v1', kind: 'Node', metadata }]);
      await patchStatus(['node', name], { addresses: [{ type: 'InternalIP', address }] });
      await pods.addPod(name);
    },
    async addPod(node, name = `edge-${node}`) {
      // Where controllers run they make it; a control plane of `setup-envtest` has none.
      const account = { name: serviceAccountName, namespace: NAMESPACE };
      await cluster.kubectl(
        ['apply', '--server-side', '-f', '-'],
        [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }],
      );
      await cluster.kubectl(['create', '-f', '-'], [podObject(node, name, port, serviceAccountName)]);
    },
    async setReady(name) {
      const conditions = [{ type: 'Ready', status: 'True' }];
      await patchStatus(inNamespace(name), { phase: 'Running', conditions });
    },
    endSoon: async (name) => void (await cluster.kubectl(['delete', ...inNamespace(name), '--wait=false'])),
    end: async (name) =>
      void (await cluster.kubectl(['delete', ...inNamespace(name), '--force', '--grace-period=0'])),
  };
  return pods;
}

const podObject = (node: string, name: string, port: number, serviceAccountName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: NAMESPACE,
    labels: { 'app.kubernetes.io/name': 'weir', 'app.kubernetes.io/component': 'edge' },
  },
  spec: {
    nodeName: node,
    serviceAccountName,
    terminationGracePeriodSeconds: 60,
    containers: [
      { name: 'edge', image: 'weir', ports: [{ name: 'http', containerPort: port, hostPort: port }] },
    ],
    tolerations: [{ operator: 'Exists' }],
  },
});

/** Kubernetes nodes and edge pods as the settings name them, watched; nothing is while there is no `registration`. */
import type { Registration } from '../../contract/config/registration.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { KubernetesApi } from '../kubernetes/api.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import type { WatchMetrics } from '../kubernetes/watch-metrics.ts';
import { type EdgePod, edgePod, type KubernetesNode, kubernetesNode } from './cluster-objects.ts';

interface WatchedClusterOptions {
  api: KubernetesApi;
  /** Where edge pods are unless the settings say otherwise. */
  namespace: string;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
  onChange: () => void;
}

export class WatchedCluster {
  readonly #options: WatchedClusterOptions;
  #nodes: Reflector | undefined;
  #pods: { reflector: Reflector; place: string } | undefined;

  constructor(options: WatchedClusterOptions) {
    this.#options = options;
  }

  /** Nothing before both were read once: what is not known yet must not look deleted. */
  objects(): { nodes: KubernetesNode[]; pods: EdgePod[] } | undefined {
    const [nodes, pods] = [this.#nodes?.objects(), this.#pods?.reflector.objects()];
    if (!nodes || !pods) return undefined;
    return {
      nodes: kubernetesNode.array().parse([...nodes.values()]),
      pods: edgePod.array().parse([...pods.values()]),
    };
  }

  async follow(settings: Registration | undefined): Promise<void> {
    if (!settings) return this.stop();
    this.#nodes ??= this.#watch({ path: '/api/v1/nodes', resource: 'nodes' });
    const labelSelector = Object.entries(settings.podLabels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(',');
    const path = `/api/v1/namespaces/${settings.namespace ?? this.#options.namespace}/pods`;
    const place = `${path}?${labelSelector}`;
    if (this.#pods?.place === place) return;
    await this.#pods?.reflector.stop();
    this.#pods = { place, reflector: this.#watch({ path, resource: 'pods', selection: { labelSelector } }) };
  }

  async stop(): Promise<void> {
    const [nodes, pods] = [this.#nodes, this.#pods];
    this.#nodes = undefined;
    this.#pods = undefined;
    await Promise.all([nodes?.stop(), pods?.reflector.stop()]);
  }

  #watch(what: { path: string; resource: string; selection?: Record<string, string> }): Reflector {
    const reflector = new Reflector({ ...this.#options, ...what });
    reflector.start(this.#options.onChange);
    return reflector;
  }
}

/** A Kubernetes node and its edge pod, and the EdgeNode that they make. Pure. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { EdgeNodeSpec } from '../../contract/kinds/edge-node.ts';
import type { EdgePod, KubernetesNode } from './cluster-objects.ts';
import {
  type Fault,
  type Reading,
  readAddresses,
  readBandwidth,
  readConnections,
  readIsps,
  readLocation,
  readPorts,
  readRegion,
  readTier,
  readWeight,
} from './read-node.ts';

type Spec = Omit<EdgeNodeSpec, 'healthCheck' | 'schedulable'>;

export interface EdgeNodeForm {
  /** Nothing when a fault is in a field that has no earlier value and no default to stand in. */
  spec: Partial<Spec> | undefined;
  labels: Record<string, string>;
  faults: Fault[];
}

/** `before` is the spec as it stands: a field that can't be read now keeps what it was. */
export function edgeNodeForm(
  node: KubernetesNode,
  pod: EdgePod,
  config: WeirConfig,
  before: Partial<EdgeNodeSpec> | undefined,
): EdgeNodeForm {
  const faults: Fault[] = [];
  const taken = <T>({ value, fault }: Reading<T>, earlier: T | undefined): T | undefined => {
    if (!fault) return value;
    faults.push(fault);
    return earlier;
  };
  const bandwidth = taken(readBandwidth(node), before?.capacity?.bandwidth);
  const connections = taken(readConnections(node), before?.capacity?.connections);
  const capacity = {
    ...(bandwidth !== undefined && { bandwidth }),
    ...(connections !== undefined && { connections }),
  };
  const fields: { [K in keyof Spec]: Spec[K] | undefined } = {
    addresses: taken(readAddresses(node, pod), before?.addresses),
    ports: taken(readPorts(pod), before?.ports),
    region: taken(readRegion(node, config), before?.region),
    location: taken(readLocation(node), before?.location),
    isps: taken(readIsps(node), before?.isps),
    tier: taken(readTier(node), before?.tier),
    weight: taken(readWeight(node), before?.weight),
    capacity: (bandwidth ?? connections) ? capacity : undefined,
  };
  const spec: Partial<Spec> = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
  // A node that was never registered is not, before all that is said of it makes sense.
  const isWhole = faults.length === 0 || before !== undefined;
  return { spec: isWhole ? spec : undefined, labels: carriedLabels(node, config), faults };
}

function carriedLabels({ metadata: { labels = {} } }: KubernetesNode, { registration }: WeirConfig) {
  const carried = (registration?.nodeLabels ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(carried);
}

/** Kubernetes nodes and edge pods, as far as registration looks at them. Pure. */
import { z } from 'zod';
import { apiObject } from '../kubernetes/objects.ts';

export const kubernetesNode = apiObject.extend({
  spec: z
    .looseObject({
      unschedulable: z.boolean().optional(),
      taints: z.array(z.looseObject({ key: z.string() })).optional(),
    })
    .default({}),
  status: z
    .looseObject({ addresses: z.array(z.object({ type: z.string(), address: z.string() })).optional() })
    .default({}),
});
export type KubernetesNode = z.infer<typeof kubernetesNode>;

const containerPort = z.looseObject({
  name: z.string().optional(),
  hostPort: z.int().optional(),
  protocol: z.string().default('TCP'),
});
const nodeField = z.looseObject({ key: z.string(), values: z.array(z.string()).default([]) });

export const edgePod = apiObject.extend({
  spec: z.looseObject({
    nodeName: z.string().optional(),
    containers: z.array(z.looseObject({ ports: z.array(containerPort).optional() })),
    affinity: z
      .looseObject({
        nodeAffinity: z
          .looseObject({
            requiredDuringSchedulingIgnoredDuringExecution: z
              .looseObject({
                nodeSelectorTerms: z.array(z.looseObject({ matchFields: z.array(nodeField).optional() })),
              })
              .optional(),
          })
          .optional(),
      })
      .optional(),
  }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
    })
    .default({}),
});
export type EdgePod = z.infer<typeof edgePod>;

/** Set by those who are about to take a node away, some without a cordon. */
const LEAVING_TAINTS = new Set([
  'node.kubernetes.io/unschedulable',
  'node.kubernetes.io/out-of-service',
  'ToBeDeletedByClusterAutoscaler',
  'karpenter.sh/disrupted',
]);

/**
 * Somebody takes the node out of use. That it is NotReady is no such fact: its kubelet is silent, and the edge on it may
 * serve all the same; probes tell.
 */
export function isLeaving({ metadata, spec: { unschedulable, taints = [] } }: KubernetesNode): boolean {
  return (
    unschedulable === true ||
    metadata.deletionTimestamp !== undefined ||
    taints.some(({ key }) => LEAVING_TAINTS.has(key))
  );
}

/** The node that a pod runs on, or is meant for: a DaemonSet says so before the scheduler does. */
export function nodeOf({ spec: { nodeName, affinity } }: EdgePod): string | undefined {
  if (nodeName) return nodeName;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms
    ?.flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key }) => key === 'metadata.name')
    ?.values.at(0);
}

/** It ended, and will not start again. */
export const isOver = ({ status: { phase } }: EdgePod) => phase === 'Succeeded' || phase === 'Failed';

export const isTerminating = ({ metadata }: EdgePod) => metadata.deletionTimestamp !== undefined;

export const isReady = ({ status: { conditions = [] } }: EdgePod) =>
  conditions.some(({ type, status }) => type === 'Ready' && status === 'True');

/** Of the pods of one node the one that counts: a rollout has two for a time. */
export function currentPod(pods: readonly EdgePod[]): EdgePod | undefined {
  return pods
    .filter((pod) => !isOver(pod))
    .toSorted(
      (a, b) =>
        Number(isTerminating(a)) - Number(isTerminating(b)) ||
        Number(isReady(b)) - Number(isReady(a)) ||
        b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp),
    )
    .at(0);
}

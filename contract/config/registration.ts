/** How EdgeNodes are made from Kubernetes nodes with an edge pod. */
import { z } from 'zod';
import { dnsLabel } from '../kinds/scalars.ts';

const labelKey = z.string().min(1).max(317);
const labelValue = z.string().max(63);

export const registration = z
  .strictObject({
    namespace: dnsLabel
      .optional()
      .describe('Where the edge pods are; by default the namespace of the operator.'),
    podLabels: z
      .record(labelKey, labelValue)
      .refine((labels) => Object.keys(labels).length > 0, 'at least one label: not every pod is an edge')
      .default({ 'app.kubernetes.io/name': 'weir', 'app.kubernetes.io/component': 'edge' })
      .describe('The labels by which edge pods are known.'),
    regions: z
      .record(labelValue, dnsLabel)
      .default({})
      .describe(
        'Regions of weir.yaml by the node’s label `topology.kubernetes.io/region`; a label that is the name of a ' +
          'region needs no row.',
      ),
    nodeLabels: z
      .array(labelKey)
      .max(32)
      .default(['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'])
      .describe('Labels of the node that its EdgeNode gets too, for domains to select by.'),
  })
  .describe('Make an EdgeNode of each Kubernetes node that has an edge pod; needs `--source kubernetes`.');

export type Registration = z.output<typeof registration>;

/** The chart's values, once: `values.yaml`, `values.schema.json` and the chart's README are made of this. Pure. */
import { z } from 'zod';
import { weirConfig } from '../../../contract/config/weir-config.ts';
import { byteSizeText, cidr, dnsLabel, duration, ipAddress, port } from '../../../contract/kinds/scalars.ts';

const labels = z.record(z.string(), z.string()).default({});
/** What Kubernetes itself checks. */
const anyObject = z.record(z.string(), z.unknown()).default({});
const anyList = z.array(z.unknown()).default([]);

const podPlace = {
  nodeSelector: labels.describe('Nodes that its pods may run on, by their labels.'),
  tolerations: anyList.describe('Taints that its pods tolerate.'),
  affinity: anyObject.describe('Affinity of its pods; by default replicas keep off one another’s nodes.'),
  podAnnotations: labels.describe('Further annotations of its pods.'),
  priorityClassName: z.string().default('').describe('Priority of its pods.'),
};

const resources = (cpu: string, memory: string) =>
  z
    .record(z.string(), z.unknown())
    .default({ requests: { cpu, memory } })
    .describe('Requests and limits. A CPU limit makes answers wait; better leave it out.');

const KEEPS = 'Where plan and what else must outlive a pod lie: one that starts again needs no operator.';
const HOST_PATH = 'HostPath: a folder of the node.';
const EMPTY_DIR =
  'EmptyDir: gone with the pod; the next one answers nothing before it heard of the operator.';
const hostPath = (path: string) =>
  z.string().startsWith('/').default(path).describe('The folder of the node.');

const dnsState = z
  .strictObject({
    type: z
      .enum(['HostPath', 'PersistentVolumeClaim', 'EmptyDir'])
      .default('HostPath')
      .describe(`${HOST_PATH} PersistentVolumeClaim: a claim for each pod of a StatefulSet. ${EMPTY_DIR}`),
    hostPath: hostPath('/var/lib/weir/dns-server'),
    size: z.string().default('1Gi').describe('How much a claim asks for.'),
    storageClassName: z.string().default('').describe('Class of the claims; the cluster’s own by default.'),
  })
  .prefault({})
  .describe(KEEPS);

const edgeState = z
  .strictObject({
    type: z
      .enum(['HostPath', 'EmptyDir'])
      .default('HostPath')
      .describe(
        `${HOST_PATH} ${EMPTY_DIR} There are no claims: they would follow a pod, and an edge is a node.`,
      ),
    hostPath: hostPath('/var/lib/weir/edge'),
  })
  .prefault({})
  .describe(`${KEEPS} The cache is there too.`);

const service = (type: 'ClusterIP' | 'LoadBalancer', externalTrafficPolicy: 'Local' | 'Cluster') =>
  z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default(type).describe('Type of the Service.'),
    annotations: labels.describe('Annotations of the Service, for the load balancer.'),
    loadBalancerClass: z.string().default('').describe('Which implementation of load balancers.'),
    loadBalancerIP: z.string().default('').describe('A fixed address, where the load balancer takes one.'),
    externalTrafficPolicy: z
      .enum(['Local', 'Cluster'])
      .default(externalTrafficPolicy)
      .describe('Local keeps the clients’ addresses, by which they are placed.'),
  });

const nodePort = z
  .int()
  .min(0)
  .max(65_535)
  .default(0)
  .describe('For `type: NodePort`: which port of the nodes, of their range for that; 0 takes any.');

const image = z
  .strictObject({
    repository: z.string().min(1).default('ghcr.io/weir/weir').describe('Where the image is.'),
    tag: z.string().default('').describe('Its tag; the chart’s appVersion by default.'),
    digest: z
      .string()
      .regex(/^(sha256:[0-9a-f]{64})?$/)
      .default('')
      .describe('Its digest, instead of the tag.'),
    pullPolicy: z
      .enum(['IfNotPresent', 'Always', 'Never'])
      .default('IfNotPresent')
      .describe('When it is pulled.'),
    pullSecrets: z
      .array(z.strictObject({ name: z.string() }))
      .default([])
      .describe('Secrets of its registry.'),
  })
  .prefault({})
  .describe('The image, one for all programs.');

const operator = z
  .strictObject({
    replicas: z.int().min(1).max(9).default(2).describe('One leads, the others wait to take over.'),
    serverNames: z
      .array(z.string())
      .default([])
      .describe('Names and addresses by which agents outside the cluster reach it, for its certificate.'),
    service: service('ClusterIP', 'Cluster')
      .extend({ nodePort })
      .prefault({})
      .describe('How agents reach it; LoadBalancer or NodePort where edges run outside the cluster.'),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('What it logs.'),
    resources: resources('100m', '256Mi'),
    ...podPlace,
  })
  .prefault({})
  .describe('The operator.');

const redis = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Run one Redis beside the operator, for `redis.url` in `config`.'),
    image: z.string().default('redis:8.4-alpine').describe('Its image.'),
    resources: resources('50m', '64Mi'),
  })
  .prefault({})
  .describe(
    'A single Redis, by which every replica of the operator serves agents. It keeps nothing on disk.',
  );

const dnsServer = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Run dns-servers.'),
    kind: z
      .enum(['Deployment', 'DaemonSet', 'StatefulSet'])
      .default('Deployment')
      .describe('StatefulSet goes with volume claims.'),
    replicas: z.int().min(1).max(100).default(2).describe('How many; a DaemonSet has one on each node.'),
    service: service('LoadBalancer', 'Local')
      .extend({ nodePort })
      .prefault({})
      .describe('Port 53, UDP and TCP.'),
    state: dnsState,
    probeCa: z
      .strictObject({
        configMap: z.string().default('').describe('A ConfigMap of this namespace; none by default.'),
        key: z.string().default('ca.crt').describe('Where in it the certificates are, PEM.'),
      })
      .prefault({})
      .describe(
        'CAs that HTTPS probes trust beside the usual ones, where an EdgeNode has `healthCheck.verifyCertificate`.',
      ),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('What it logs.'),
    resources: resources('100m', '512Mi'),
    ...podPlace,
  })
  .prefault({})
  .describe('The dns-servers.');

const edge = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Run an edge on each node that `nodeSelector` names.'),
    network: z
      .enum(['HostPort', 'HostNetwork', 'LoadBalancer'])
      .default('HostPort')
      .describe(
        'HostPort and HostNetwork: on the node’s own addresses; both need a namespace with the `privileged` Pod Security ' +
          'level. LoadBalancer: behind a Service, whose addresses go into `service.addresses`.',
      ),
    port: port.default(80).describe('Port for HTTP on the node, or of the Service.'),
    tlsPort: port
      .default(443)
      .describe('The same for HTTPS, which domains with a certificate are served by (`spec.tls`).'),
    service: service('LoadBalancer', 'Local')
      .extend({
        addresses: z
          .array(ipAddress)
          .default([])
          .describe(
            'Where clients reach the Service: with these EdgeNodes are made of pods, as `loadBalancerIP` does too.',
          ),
      })
      .prefault({})
      .describe('For `network: LoadBalancer`.'),
    memory: byteSizeText.default('256MiB').describe('What the memory tier may hold.'),
    disk: byteSizeText.default('20GiB').describe('What the disk tier may hold.'),
    drainSeconds: z
      .int()
      .min(0)
      .max(3_600)
      .default(75)
      .describe(
        'How long a pod that is to end serves on: longer than the TTL of the domains, so that nobody is left.',
      ),
    state: edgeState,
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info').describe('What it logs.'),
    resources: resources('200m', '768Mi'),
    ...podPlace,
    nodeSelector: z
      .record(z.string(), z.string())
      .default({ 'weir.dev/edge': 'true' })
      .describe('Nodes that are edges, by their labels.'),
  })
  .prefault({})
  .describe('The edges.');

const join = z
  .strictObject({
    operator: z
      .string()
      .default('')
      .describe('Where the operator of the other cluster is: `https://…`; several separated by commas.'),
    tokenSecret: z
      .string()
      .default('')
      .describe('A Secret with a join token for each node of this cluster, under the node’s name.'),
  })
  .prefault({})
  .describe('For `mode: edge`: whom the edges of this cluster join.');

const networkPolicies = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Let in what is needed, and no more.'),
    metricsFrom: z
      .array(z.record(z.string(), z.unknown()))
      .default([])
      .describe('Who may read metrics, as `from` of a NetworkPolicy; anybody in the cluster by default.'),
    agentsFrom: z.array(cidr).default([]).describe('Networks of agents outside the cluster.'),
  })
  .prefault({})
  .describe('NetworkPolicies.');

const metrics = z
  .strictObject({
    serviceMonitor: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe('Make a ServiceMonitor; the Prometheus operator has its CRD.'),
        labels: labels.describe('Labels by which Prometheus chooses it.'),
        interval: duration.default('30s').describe('How often it asks.'),
      })
      .prefault({})
      .describe('Scraping by the Prometheus operator.'),
    rules: z
      .strictObject({
        enabled: z.boolean().default(false).describe('Make a PrometheusRule with alerts.'),
        labels: labels.describe('Labels by which Prometheus chooses it.'),
      })
      .prefault({})
      .describe('Alerts.'),
    dashboard: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe('Make a ConfigMap with a dashboard for Grafana’s sidecar.'),
        labels: z
          .record(z.string(), z.string())
          .default({ grafana_dashboard: '1' })
          .describe('Labels by which the sidecar finds it.'),
      })
      .prefault({})
      .describe('The dashboard.'),
  })
  .prefault({})
  .describe('For who watches it.');

/** The example of `config`: what a first installation has. */
const firstConfig = {
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.cdn.example.net', addresses: ['192.0.2.53'] }],
      soa: { contact: 'hostmaster.example.net' },
    },
  ],
};

export const chartValues = z.strictObject({
  mode: z
    .enum(['full', 'edge'])
    .default('full')
    .describe('full: all of Weir. edge: only edges, which join the operator of another cluster.'),
  image,
  config: weirConfig
    .prefault(firstConfig)
    .describe(
      'weir.yaml, see docs/reference/weir-yaml.md. Put your zones here; the programs’ addresses are the chart’s.',
    ),
  crds: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Install the CRDs, and upgrade them with the chart.'),
      keep: z
        .boolean()
        .default(true)
        .describe('Leave them, and so all resources, when the chart is uninstalled.'),
    })
    .prefault({})
    .describe('The kinds.'),
  tenantRoles: z
    .boolean()
    .default(true)
    .describe('Join Weir’s kinds to the cluster’s roles `view`, `edit` and `admin` (docs/tenancy.md).'),
  ipFamilies: z
    .array(z.enum(['IPv4', 'IPv6']))
    .min(1)
    .max(2)
    .default(['IPv4'])
    .describe(
      'Which addresses pods of this cluster have, its first family first. With both, clients are served over both.',
    ),
  watchNamespaces: z
    .array(dnsLabel)
    .default([])
    .describe(
      'Namespaces whose CdnDomains, PurgeJobs and Certificates count; all by default. The rights are then given in these alone.',
    ),
  operator,
  redis,
  dnsServer,
  edge,
  join,
  podDisruptionBudgets: z.boolean().default(true).describe('At most one pod of a kind is evicted at a time.'),
  networkPolicies,
  metrics,
  nameOverride: z.string().default('').describe('Instead of the chart’s name in the names of objects.'),
  fullnameOverride: z
    .string()
    .default('')
    .describe('Instead of the whole first part of the names of objects.'),
});

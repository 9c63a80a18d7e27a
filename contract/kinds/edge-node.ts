/** EdgeNode: one edge machine with its addresses. */
import { z } from 'zod';
import { revision } from '../plans/revision.ts';
import type { KindDefinition } from './kind.ts';
import {
  asSet,
  bandwidth,
  dnsLabel,
  duration,
  hostname,
  ipAddress,
  moment,
  port,
  textLike,
  withRules,
} from './scalars.ts';
import { quarantined, readyColumn, reasonColumn, statusSchema } from './status.ts';

const healthCheck = withRules(
  z.strictObject({
    protocol: z
      .enum(['HTTP', 'HTTPS', 'TCP'])
      .default('HTTP')
      .describe(
        'HTTP, on `ports.http`, and HTTPS, on `ports.https`: a GET that must answer 200. TCP, on `ports.http`: a connection that must be accepted.',
      ),
    hostname: hostname
      .optional()
      .describe('The host that HTTPS asks for, also by SNI: a name that the node has a certificate for.'),
    verifyCertificate: z
      .boolean()
      .optional()
      .describe(
        'HTTPS: whether the certificate must be valid for the hostname, by the CAs that the dns-servers trust (a private one: `probes.ca` of weir.yaml, `--probe-ca` of a dns-server); an expired one takes the node out then. Default false.',
      ),
    path: textLike(/^\/[!-~]*$/, 'a path that begins with /', 1_024)
      .default('/.weir/health')
      .describe('What HTTP and HTTPS ask for.'),
    interval: duration.default('10s').describe('Time between two probes of one address.'),
    timeout: duration.default('2s').describe('A probe without an answer within this has failed.'),
    failureThreshold: z
      .int()
      .min(1)
      .max(20)
      .default(3)
      .describe('Failures in a row that make an address unhealthy.'),
    successThreshold: z
      .int()
      .min(1)
      .max(20)
      .default(2)
      .describe('Successes in a row that make it healthy again.'),
  }),
  [
    {
      holds: ({ interval, timeout }) => !interval.startsWith('0') && !timeout.startsWith('0'),
      cel: "!self.interval.startsWith('0') && !self.timeout.startsWith('0')",
      message: 'interval and timeout are longer than nothing',
    },
    {
      holds: ({ protocol, hostname }) => (protocol === 'HTTPS') === (hostname !== undefined),
      cel: "(self.protocol == 'HTTPS') == has(self.hostname)",
      message: 'a hostname stands with protocol HTTPS, and only there',
      path: ['hostname'],
    },
    {
      holds: ({ protocol, verifyCertificate }) => protocol === 'HTTPS' || verifyCertificate === undefined,
      cel: "self.protocol == 'HTTPS' || !has(self.verifyCertificate)",
      message: 'only HTTPS has a certificate to verify',
      path: ['verifyCertificate'],
    },
  ],
);

const fields = z.strictObject({
  addresses: asSet(z.array(ipAddress).min(1).max(8)).describe(
    'Public addresses that DNS answers with, IPv4 and IPv6.',
  ),
  ports: z
    .strictObject({
      http: port.default(80).describe('Port for HTTP.'),
      https: port.optional().describe('Port for HTTPS. Absent: the node speaks no TLS.'),
    })
    .prefault({})
    .describe('Ports that clients and health checks connect to.'),
  region: dnsLabel
    .optional()
    .describe('A region of weir.yaml; required where that has regions, and left out where it has none.'),
  location: z
    .strictObject({
      latitude: z.number().min(-90).max(90).describe('Degrees north.'),
      longitude: z.number().min(-180).max(180).describe('Degrees east.'),
    })
    .optional()
    .describe('Where it stands. Without regions clients go to the nearest site.'),
  isps: asSet(z.array(z.int().min(1).max(4_294_967_295)).max(64))
    .optional()
    .describe(
      'AS numbers with a direct line: of the nodes that could answer, their clients go to these first.',
    ),
  tier: z
    .enum(['Edge', 'Parent'])
    .default('Edge')
    .describe('Edge: clients are sent to it. Parent: it stays out of the answers for domains.'),
  weight: z
    .int()
    .min(0)
    .max(1_000)
    .default(100)
    .describe(
      'Share of the region’s clients against the other nodes; 0 gets none while another node can answer.',
    ),
  capacity: z
    .strictObject({
      bandwidth: bandwidth.optional().describe('What it can send to clients.'),
      connections: z
        .int()
        .min(1)
        .max(10_000_000)
        .optional()
        .describe('Open connections of clients that it can hold.'),
    })
    .optional()
    .describe(
      'What it can carry. Near its limits, as with its CPU, a part of its clients goes to other nodes.',
    ),
  schedulable: z.boolean().default(true).describe('false drains the node: out of DNS, still serving.'),
  healthCheck: healthCheck.prefault({}).describe('How dns-servers probe the node, each address on its own.'),
});

const spec = withRules(fields, [
  {
    holds: ({ healthCheck: { protocol }, ports }) => protocol !== 'HTTPS' || ports.https !== undefined,
    cel: "self.healthCheck.protocol != 'HTTPS' || has(self.ports.https)",
    message: 'a health check by HTTPS needs ports.https',
    path: ['ports', 'https'],
  },
]);

const status = statusSchema({
  quarantined,
  acked: revision.optional().describe('The edge plan that the node last said it serves.'),
  mustRevalidate: z
    .boolean()
    .optional()
    .describe(
      'A purge ended without this node: it revalidates all that it stored before it may answer again.',
    ),
  unhealthy: z
    .array(
      z.strictObject({
        address: z.string().max(45).describe('One of `spec.addresses`.'),
        detail: z.string().max(256).describe('What the last probe met.'),
      }),
    )
    .max(8)
    .optional()
    .describe('Addresses that the majority of the dns-servers sees down.'),
  weightPercent: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe('What its load leaves of its weight, while that is not all.'),
  forced: z
    .strictObject({
      state: z.enum(['Up', 'Down']).describe('What its health is said to be.'),
      until: moment.optional().describe('When that ends; without it, when `weir force NODE auto` ends it.'),
    })
    .optional()
    .describe('Set by `weir force`: dns-servers go by it, not by their probes.'),
});

export const edgeNode = {
  kind: 'EdgeNode',
  plural: 'edgenodes',
  singular: 'edgenode',
  shortNames: ['edge'],
  scope: 'Cluster',
  description: 'One edge machine: its addresses, its region, and how its health is checked.',
  spec,
  status,
  conditionTypes: ['Accepted', 'Connected', 'Healthy', 'UpToDate', 'Admitted', 'Ready', 'Stalled'],
  columns: [
    { name: 'Region', jsonPath: '.spec.region', description: 'The region it serves.' },
    { name: 'Addresses', jsonPath: '.spec.addresses', description: 'What DNS answers with.' },
    { name: 'Schedulable', jsonPath: '.spec.schedulable', description: 'false when drained.' },
    readyColumn('Whether it answers.'),
    reasonColumn,
  ],
} satisfies KindDefinition;

export type EdgeNodeSpec = z.output<typeof spec>;
export type EdgeNodeStatus = z.output<typeof status>;

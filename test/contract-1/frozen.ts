/**
 * The contract of version 1 as its agents and operators have it: frozen when version 2 began, and never to be changed
 * while version 1 is still spoken. Not imported from contract/, so that nothing done there can change it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

const counter = z
  .int()
  .min(0)
  .max(2 ** 52);

const revision = z.strictObject({
  epoch: counter.describe('Rises with each leader.'),
  seq: counter.describe('Rises with each published plan.'),
});

const seconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

const match = z.strictObject({
  pathPrefix: z.string().optional(),
  glob: z.string().optional(),
  extensions: z.array(z.string()).optional(),
});

const queryKey = z.strictObject({
  mode: z.enum(['Keep', 'Ignore', 'Allow', 'Deny']),
  names: z.array(z.string()),
});

const edgeRule = z.strictObject({
  match,
  bypass: z.boolean(),
  ttl: z.strictObject({ seconds, statuses: z.array(z.int()), force: z.boolean() }).optional(),
  heuristicTtl: seconds.optional(),
  staleWhileRevalidate: seconds.optional(),
  staleIfError: seconds.optional(),
  browserTtl: seconds.optional(),
  query: queryKey,
});

const edgeDomain = z.strictObject({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  hostnames: z.array(z.string()).min(1),
  origin: z.strictObject({ name: z.string(), url: z.string(), hostHeader: z.string().optional() }),
  rules: z.array(edgeRule),
  linger: seconds,
});

const edgePlan = z.strictObject({ domains: z.array(edgeDomain) });

const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const moment = z.int();
const location = z.strictObject({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});

const routingRecord = z.strictObject({
  name: z.string(),
  type: z.enum(['A', 'NS', 'CNAME', 'PTR', 'MX', 'TXT', 'AAAA', 'SRV', 'DNAME', 'DS', 'CAA']),
  ttl: seconds,
  data: z.string(),
});

const routingZone = z.strictObject({
  name: z.string(),
  nameServers: z.array(z.strictObject({ name: z.string(), addresses: z.array(z.string()) })).min(1),
  contact: z.string(),
  negativeTtl: seconds,
  dnssec: z.boolean().default(false),
  records: z.array(routingRecord).default([]),
});

const routingRateLimit = z.strictObject({
  responses: z
    .strictObject({ perSecond: z.int().min(1), burst: z.int().min(1), slip: z.int().min(0) })
    .optional(),
  perClient: z.int().min(1).optional(),
  exempt: z.array(z.string()),
});

const routingRegion = z.strictObject({
  name: z.string(),
  countries: z.array(z.string()),
  subdivisions: z.array(z.string()),
  asns: z.array(z.int()).default([]),
  cidrs: z.array(z.string()),
});

const routingNode = z.strictObject({
  name: z.string(),
  addresses: z.array(z.string()).min(1),
  region: z.string(),
  weight: z.int().min(0),
  schedulable: z.boolean(),
  isps: z.array(z.int()).default([]),
  healthCheck: z.strictObject({
    protocol: z.enum(['HTTP', 'TCP']),
    port: z.int(),
    path: z.string(),
    intervalMs: milliseconds,
    timeoutMs: milliseconds,
    failureThreshold: z.int().min(1),
    successThreshold: z.int().min(1),
  }),
});

const tier = z.strictObject({
  by: z.enum(['Region', 'Override', 'Order', 'Site', 'All']),
  name: z.string(),
  nodes: z.array(z.string()).min(1),
  location: location.optional(),
});

const candidateSet = z.strictObject({
  id: z.string(),
  regions: z.array(z.strictObject({ region: z.string(), tiers: z.array(tier) })),
});

const shift = z.strictObject({
  set: z.string(),
  start: z.int().min(0).max(99),
  percent: z.int().min(1).max(100),
  from: moment,
  until: moment,
});

const routingDomain = z.strictObject({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  hostnames: z.array(z.string()).min(1),
  cname: z.string(),
  zone: z.string(),
  policy: z.enum(['Geo', 'Weighted', 'Failover']),
  ttl: seconds,
  minTtl: seconds,
  answers: z.int().min(1),
  set: z.string(),
  shifts: z.array(shift).default([]),
});

const routingPlan = z.strictObject({
  zones: z.array(routingZone),
  rateLimit: routingRateLimit.optional(),
  regions: z.array(routingRegion),
  defaultRegion: z.string(),
  nodes: z.array(routingNode),
  candidateSets: z.array(candidateSet),
  domains: z.array(routingDomain),
});

const forcedState = z.strictObject({ state: z.enum(['Up', 'Down']), until: z.int().optional() });

const nodeRow = z.strictObject({
  node: z.string(),
  acked: revision,
  admitted: z.boolean(),
  reason: z.string(),
  weight: z.number().min(0).max(1).optional(),
  forced: forcedState.optional(),
  down: z.array(z.strictObject({ address: z.string(), by: z.array(z.string()) })).optional(),
});

const nodeTable = z.strictObject({
  version: revision,
  rows: z.array(nodeRow),
  voters: z.array(z.string()).optional(),
});

const envelope = {
  revision,
  digest: z.string().length(64),
  run: z.string(),
};

export const publishedRoutingPlan = z.strictObject({
  ...envelope,
  plan: routingPlan,
  since: z.record(z.string(), revision),
});

export const publishedEdgePlan = z.strictObject({ ...envelope, plan: edgePlan });
const role = z.enum(['dns-server', 'edge']);

const purge = z.strictObject({
  type: z.literal('purge'),
  uid: z.string(),
  domain: z.string(),
  target: z.discriminatedUnion('by', [
    z.strictObject({ by: z.literal('urls'), urls: z.array(z.string()) }),
    z.strictObject({ by: z.literal('prefixes'), prefixes: z.array(z.string()) }),
    z.strictObject({ by: z.literal('tags'), tags: z.array(z.string()) }),
    z.strictObject({ by: z.literal('regex'), regex: z.string() }),
    z.strictObject({ by: z.literal('everything') }),
  ]),
  soft: z.literal(true).optional(),
});

const prefetch = z.strictObject({
  type: z.literal('prefetch'),
  uid: z.string(),
  domain: z.string(),
  urls: z.array(z.string()),
  concurrency: z.int().min(1),
  perSecond: z.int().min(1),
});

const revalidateAll = z.strictObject({ type: z.literal('revalidateAll'), uid: z.string() });

const command = z.discriminatedUnion('type', [purge, prefetch, revalidateAll]);

const hello = z.strictObject({ type: z.literal('hello'), contract: z.int(), epoch: z.int() });
const heartbeat = z.strictObject({ type: z.literal('heartbeat') });
const table = z.strictObject({ type: z.literal('table'), table: nodeTable });
const commandMessage = z.strictObject({ type: z.literal('command'), command });

const planMessage = z.strictObject({ type: z.literal('plan'), published: z.unknown() });

export const streamMessage = z.discriminatedUnion('type', [
  hello,
  heartbeat,
  table,
  commandMessage,
  planMessage,
]);

const ack = z.strictObject({ type: z.literal('ack'), revision });

const nack = z.strictObject({
  type: z.literal('nack'),
  revision,
  fault: z.enum(['Local', 'Invalid']),
  message: z.string().max(4_096),
});

const done = z.strictObject({
  type: z.literal('done'),
  uid: z.string(),
  objects: z.int().min(0),
  durationMs: z.number().min(0),
});

const failed = z.strictObject({ type: z.literal('failed'), uid: z.string(), message: z.string().max(1_024) });

const health = z.strictObject({
  type: z.literal('health'),
  nodes: z.array(
    z.strictObject({
      node: z.string(),
      addresses: z.array(
        z.strictObject({
          address: z.string(),
          healthy: z.boolean(),
          detail: z.string().max(256),
          turnMs: z.int().min(0).optional(),
        }),
      ),
    }),
  ),
});

const load = z.strictObject({
  type: z.literal('load'),
  cpu: z.number().min(0).max(1),
  bitsPerSecond: z.number().min(0),
  connections: z.int().min(0),
});

const report = z.discriminatedUnion('type', [ack, nack, done, failed, health, load]);

export const reports = z.strictObject({
  role,
  node: z.string().min(1).max(253),
  reports: z.array(report).max(10_000),
});

export const streamQuery = z.object({
  role,
  node: z.string().min(1).max(253),
  epoch: z.coerce.number().int().min(0),
  seq: z.coerce.number().int().min(0),
  seen: z.coerce.number().int().min(0).default(0),
  run: z.string().max(64).default(''),
  contract: z.string().transform((text) => text.split(',').map(Number)),
});

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export function planDigest(plan: object): string {
  const lines: string[] = [];
  for (const [section, value] of Object.entries(plan).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!Array.isArray(value)) lines.push(`${section} ${canonicalJson(value)}`);
    else for (const part of value) lines.push(`${section} ${sha256(canonicalJson(part))}`);
  }
  return sha256(lines.join('\n'));
}

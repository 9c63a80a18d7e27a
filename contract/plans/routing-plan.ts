/**
 * RoutingPlan: what a dns-server needs to answer for a domain, and nothing else. Compiled from a snapshot; holds no
 * revision, clock or health. All lists are sorted, so that equal snapshots give equal bytes.
 *
 *     domain ──set──> candidate set ──region──> tiers: [own region] [first fallback] … each a list of node names
 *            ──shifts──> interval, share, set               └──> node: addresses, weight, health check
 *
 * Where weir.yaml has no regions, all clients are in the region NO_REGION, and tiers are sites to be tried by distance.
 */
import { z } from 'zod';
import { RECORD_TYPES, type RecordType } from '../dns/record-data.ts';

/** The region of all clients where none is defined. */
export const NO_REGION = '';

const seconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

/** Milliseconds since the Unix epoch. */
const moment = z.int();
const location = z.strictObject({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});

const routingRecord = z.strictObject({
  /** Absolute, without a dot at its end; its first label may be `*`. */
  name: z.string(),
  type: z.enum(Object.keys(RECORD_TYPES) as [RecordType, ...RecordType[]]),
  ttl: seconds,
  data: z.string(),
});

const routingZone = z.strictObject({
  name: z.string(),
  nameServers: z.array(z.strictObject({ name: z.string(), addresses: z.array(z.string()) })).min(1),
  contact: z.string(),
  negativeTtl: seconds,
  /** Answers are signed; the keys travel apart. */
  dnssec: z.boolean().default(false),
  records: z.array(routingRecord).default([]),
});

const routingRateLimit = z.strictObject({
  responses: z
    .strictObject({ perSecond: z.int().min(1), burst: z.int().min(1), slip: z.int().min(0) })
    .optional(),
  /** Queries per second. */
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
  /** AS numbers whose clients it is nearest to. */
  isps: z.array(z.int()).default([]),
  healthCheck: z.strictObject({
    protocol: z.enum(['HTTP', 'HTTPS', 'TCP']),
    port: z.int(),
    path: z.string(),
    /** With HTTPS: the host that is asked for, and whether its certificate has to be valid. */
    tls: z.strictObject({ hostname: z.string(), verify: z.boolean() }).optional(),
    intervalMs: milliseconds,
    timeoutMs: milliseconds,
    failureThreshold: z.int().min(1),
    successThreshold: z.int().min(1),
  }),
});

/** One step of the way out from a region: nodes of which the first that can answer do, before any of the next step. */
const tier = z.strictObject({
  /** Which rule made it: the nodes of a region, an override, a step of `order`, a site, or all nodes alike. */
  by: z.enum(['Region', 'Override', 'Order', 'Site', 'All']),
  /** The region's or site's name, the step's number. */
  name: z.string(),
  nodes: z.array(z.string()).min(1),
  /** Of a site: the nearest to the client is tried first. */
  location: location.optional(),
});

const candidateSet = z.strictObject({
  id: z.string(),
  /** For each region of clients the tiers in order; tiers without nodes are left out. */
  regions: z.array(z.strictObject({ region: z.string(), tiers: z.array(tier) })),
});

/** In force from `from` until before `until`: clients whose hash lies in [start, start + percent) go to its set first. */
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
  /** `<name>.<namespace>.<zone>`: the name that is answered. */
  cname: z.string(),
  zone: z.string(),
  policy: z.enum(['Geo', 'Weighted', 'Failover']),
  ttl: seconds,
  /** The TTL is never lowered below this. */
  minTtl: seconds,
  answers: z.int().min(1),
  /** The id of its candidate set. */
  set: z.string(),
  shifts: z.array(shift).default([]),
});

export const routingPlan = z.strictObject({
  zones: z.array(routingZone),
  /** Missing in plans of before it was there: nothing is limited. */
  rateLimit: routingRateLimit.optional(),
  regions: z.array(routingRegion),
  defaultRegion: z.string(),
  nodes: z.array(routingNode),
  candidateSets: z.array(candidateSet),
  domains: z.array(routingDomain),
});

export type RoutingPlan = z.infer<typeof routingPlan>;
export type RoutingRecord = z.infer<typeof routingRecord>;
export type RoutingZone = z.infer<typeof routingZone>;
export type RoutingRegion = z.infer<typeof routingRegion>;
export type RoutingNode = z.infer<typeof routingNode>;
export type RoutingDomain = z.infer<typeof routingDomain>;
export type CandidateSet = z.infer<typeof candidateSet>;
export type Tier = z.infer<typeof tier>;
export type Shift = z.infer<typeof shift>;
export type Location = z.infer<typeof location>;

/**
 * RoutingPlan: what a dns-server needs to answer for a domain, and nothing else. Compiled from a snapshot; holds no
 * revision, clock or health. All lists are sorted, so that equal snapshots give equal bytes.
 *
 *     domain ──set──> candidate set ──region──> tiers: [own region] [first fallback] … each a list of node names
 *                                                        └──> node: addresses, weight, health check
 */
import { z } from 'zod';

const seconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const routingZone = z.strictObject({
  name: z.string(),
  nameServers: z.array(z.strictObject({ name: z.string(), addresses: z.array(z.string()) })).min(1),
  contact: z.string(),
  negativeTtl: seconds,
});

const routingRegion = z.strictObject({
  name: z.string(),
  countries: z.array(z.string()),
  subdivisions: z.array(z.string()),
  cidrs: z.array(z.string()),
});

const routingNode = z.strictObject({
  name: z.string(),
  addresses: z.array(z.string()).min(1),
  region: z.string(),
  weight: z.int().min(0),
  schedulable: z.boolean(),
  healthCheck: z.strictObject({
    port: z.int(),
    path: z.string(),
    intervalMs: milliseconds,
    timeoutMs: milliseconds,
    failureThreshold: z.int().min(1),
    successThreshold: z.int().min(1),
  }),
});

/** One step of the way out from a region: its own nodes first, then those of each fallback region. */
const tier = z.strictObject({ region: z.string(), nodes: z.array(z.string()).min(1) });

const candidateSet = z.strictObject({
  id: z.string(),
  /** For each region of clients the tiers in order; tiers without nodes are left out. */
  regions: z.array(z.strictObject({ region: z.string(), tiers: z.array(tier) })),
});

const routingDomain = z.strictObject({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  hostnames: z.array(z.string()).min(1),
  /** `<name>.<namespace>.<zone>`: the name that is answered. */
  cname: z.string(),
  zone: z.string(),
  policy: z.enum(['Geo']),
  ttl: seconds,
  answers: z.int().min(1),
  /** The id of its candidate set. */
  set: z.string(),
});

export const routingPlan = z.strictObject({
  zones: z.array(routingZone),
  regions: z.array(routingRegion),
  defaultRegion: z.string(),
  nodes: z.array(routingNode),
  candidateSets: z.array(candidateSet),
  domains: z.array(routingDomain),
});

export type RoutingPlan = z.infer<typeof routingPlan>;
export type RoutingZone = z.infer<typeof routingZone>;
export type RoutingRegion = z.infer<typeof routingRegion>;
export type RoutingNode = z.infer<typeof routingNode>;
export type RoutingDomain = z.infer<typeof routingDomain>;
export type CandidateSet = z.infer<typeof candidateSet>;
export type Tier = z.infer<typeof tier>;

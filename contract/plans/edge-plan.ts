/** EdgePlan: what every edge needs to serve every domain. Compiled from a snapshot; sorted; holds no revision. */
import { z } from 'zod';

const seconds = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

const match = z.strictObject({
  pathPrefix: z.string().optional(),
  glob: z.string().optional(),
  extensions: z.array(z.string()).optional(),
});

/** Which query parameters are part of the cache key. Names are sorted. */
const queryKey = z.strictObject({
  mode: z.enum(['Keep', 'Ignore', 'Allow', 'Deny']),
  names: z.array(z.string()),
});

const edgeRule = z.strictObject({
  match,
  bypass: z.boolean(),
  /** Freshness that replaces the origin's, for `statuses`. */
  ttl: z.strictObject({ seconds, statuses: z.array(z.int()), force: z.boolean() }).optional(),
  /** A tenth of the content's age, at most this, where the origin says nothing else (RFC 9111 4.2.2). */
  heuristicTtl: seconds.optional(),
  /** RFC 5861, instead of what the origin says. */
  staleWhileRevalidate: seconds.optional(),
  staleIfError: seconds.optional(),
  browserTtl: seconds.optional(),
  /** Since contract 2: stored in slices, of which only those are fetched that are asked for. */
  slices: z.literal(true).optional(),
  query: queryKey,
});

/** How the domain's hostnames are served over TLS. Without it a handshake for them is refused. */
const edgeTls = z.strictObject({
  /**
   * Its certificates, which come as secrets (stream/certificate-secret.ts): at most one per type of key, sorted by name.
   * The operator sends those that an edge is to have before the plan that names them, and none for a domain that the
   * edge is not chosen for (`routing.nodes`). So a secret that never came is no reason to wait: the edge acks, and
   * refuses handshakes for that domain. One that it holds with another digest is used until the newer one is there.
   */
  certificates: z.array(z.strictObject({ secret: z.string(), digest: z.string().length(64) })).min(1),
  /** Plain requests are sent to https. */
  redirect: z.boolean(),
  minVersion: z.enum(['1.2', '1.3']),
  /** The value of Strict-Transport-Security (RFC 6797 6.1). */
  hsts: z.string().optional(),
});

const edgeDomain = z.strictObject({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  hostnames: z.array(z.string()).min(1),
  origin: z.strictObject({ name: z.string(), url: z.string(), hostHeader: z.string().optional() }),
  rules: z.array(edgeRule),
  /** Since contract 2. */
  tls: edgeTls.optional(),
  /** How long the edge serves the domain on after it left the plan: ten minutes, or twice its TTL if that is longer. */
  linger: seconds,
});

/** What an ACME server is answered that asks for a token (RFC 8555 8.3). */
const challengeAnswer = z.strictObject({
  hostname: z.string(),
  token: z.string(),
  keyAuthorization: z.string(),
});

export const edgePlan = z.strictObject({
  domains: z.array(edgeDomain),
  /** Since contract 2: of orders on their way, sorted by hostname and token. */
  challenges: z.array(challengeAnswer).optional(),
});

export type EdgePlan = z.infer<typeof edgePlan>;
export type EdgeDomain = z.infer<typeof edgeDomain>;
export type EdgeTls = z.infer<typeof edgeTls>;
export type EdgeRule = z.infer<typeof edgeRule>;
export type QueryKey = z.infer<typeof queryKey>;

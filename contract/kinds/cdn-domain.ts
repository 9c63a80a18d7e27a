/** CdnDomain: a customer's hostname that Weir serves. */
import { z } from 'zod';
import { revision } from '../plans/revision.ts';
import type { KindDefinition } from './kind.ts';
import { labelSelector } from './label-selector.ts';
import { dnsLabel, duration, hostname, httpUrl, moment, textLike, withRules } from './scalars.ts';
import { quarantined, readyColumn, reasonColumn, statusSchema } from './status.ts';
import { tls } from './tls.ts';

const origin = z.strictObject({
  name: dnsLabel.describe('The name by which status and logs speak of this origin.'),
  url: withRules(httpUrl, [
    {
      holds: (text) => !/[?#]/.test(text),
      cel: '!self.contains("?") && !self.contains("#")',
      message: 'no query and no fragment: the client’s path and query are put behind it',
    },
  ]).describe('Where edges fetch from: scheme, host, port, and a path that is put before the client’s.'),
  hostHeader: textLike(/^[A-Za-z0-9.-]+(:[0-9]{1,5})?$/, 'a host name, with a port if needed', 259)
    .optional()
    .describe('The Host header that the origin sees; the client’s by default.'),
});

const match = withRules(
  z.strictObject({
    pathPrefix: textLike(/^\//, 'a path that begins with /', 1_024)
      .optional()
      .describe('Paths that begin so. Compared after percent-encoding is normalised.'),
    glob: textLike(/^\//, 'a pattern that begins with /', 1_024)
      .optional()
      .describe('`*` stands for any characters but `/`, `**` for any, `?` for one.'),
    extensions: z
      .array(textLike(/^[a-z0-9]+$/, 'an extension without its dot, in lower case', 16))
      .min(1)
      .max(64)
      .optional()
      .describe('Endings of the last path segment, without the dot; case does not matter in the request.'),
  }),
  [
    {
      holds: ({ pathPrefix, glob, extensions }) =>
        [pathPrefix, glob, extensions].some((part) => part !== undefined),
      cel: 'has(self.pathPrefix) || has(self.glob) || has(self.extensions)',
      message: 'at least one of pathPrefix, glob and extensions; leave `match` out to match everything',
    },
  ],
);

const query = withRules(
  z.strictObject({
    mode: z
      .enum(['Keep', 'Ignore', 'Allow', 'Deny'])
      .default('Keep')
      .describe('Keep: all parameters count. Ignore: none. Allow: only `names`. Deny: all but `names`.'),
    names: z
      .array(z.string().min(1).max(256))
      .max(64)
      .optional()
      .describe('Parameter names for Allow and Deny.'),
  }),
  [
    {
      holds: ({ mode, names }) => ['Allow', 'Deny'].includes(mode) === (names?.length ?? 0) > 0,
      cel: "(self.mode in ['Allow', 'Deny']) == (has(self.names) && size(self.names) > 0)",
      message: 'Allow and Deny need `names`; Keep and Ignore have none',
    },
  ],
);

const cacheRule = withRules(
  z.strictObject({
    match: match.optional().describe('All given parts must match; a rule without it matches every request.'),
    bypass: z.boolean().optional().describe('Never store and never serve from the cache.'),
    ttl: duration
      .optional()
      .describe(
        'Replaces the origin’s freshness for the statuses below. `private`, `no-store`, Set-Cookie and a request’s ' +
          'Authorization still win, unless `force` is true.',
      ),
    statuses: z
      .array(z.int().min(200).max(599))
      .min(1)
      .max(32)
      .optional()
      .describe(
        'Statuses that `ttl` applies to; by default 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414 and 501.',
      ),
    force: z
      .boolean()
      .optional()
      .describe('`ttl` wins over `private`, `no-store` and Set-Cookie. Use with care.'),
    heuristicTtl: duration
      .optional()
      .describe(
        'Where the origin says when content was last changed, but not for how long it is fresh: a tenth of its age then, ' +
          'at most this (RFC 9111 4.2.2). Without this such content is confirmed at each use.',
      ),
    staleWhileRevalidate: duration
      .optional()
      .describe(
        'For this long after it has become stale, content is still used, while one request asks the origin (RFC 5861). ' +
          'Instead of what the origin says; its `must-revalidate` and `no-cache` still win, unless `force` is true.',
      ),
    staleIfError: duration
      .optional()
      .describe(
        'For this long after it has become stale, content is used when the origin fails: no answer, 500, 502, 503 or ' +
          '504 (RFC 5861). `must-revalidate` and `no-cache` still win, unless `force` is true.',
      ),
    browserTtl: duration
      .optional()
      .describe(
        'How long clients may keep an answer from when they get it, instead of what the origin says.',
      ),
    slices: z
      .boolean()
      .optional()
      .describe(
        'Store in slices of 1 MiB, and fetch only those that are asked for: for large files that are read in parts. Where ' +
          'the origin has no ranges, or no strong ETag, the whole is fetched as without this.',
      ),
    query: query
      .optional()
      .describe('Which query parameters are part of the cache key, for all requests that match.'),
  }),
  [
    {
      holds: ({ bypass, ttl, statuses, force, slices, heuristicTtl, staleWhileRevalidate, staleIfError }) =>
        !bypass ||
        [ttl, statuses, force, slices, heuristicTtl, staleWhileRevalidate, staleIfError].every(
          (part) => part === undefined,
        ),
      cel:
        '!(has(self.bypass) && self.bypass) || !(has(self.ttl) || has(self.statuses) || has(self.force) || ' +
        'has(self.slices) || has(self.heuristicTtl) || has(self.staleWhileRevalidate) || has(self.staleIfError))',
      message: 'a rule with bypass: true has no ttl, statuses, force, slices, and nothing on stale content',
    },
    {
      holds: ({ ttl, statuses, force }) =>
        ttl !== undefined || (statuses === undefined && force === undefined),
      cel: 'has(self.ttl) || !(has(self.statuses) || has(self.force))',
      message: 'statuses and force say what ttl applies to, so they need one',
    },
  ],
);

const ttl = withRules(duration, [
  {
    holds: (text) => /^([1-9][0-9]*)(s|m|h|d)$/.test(text),
    cel: "self.matches('^[1-9][0-9]*(s|m|h|d)$')",
    message: 'a TTL of at least 1s, in s, m, h or d',
  },
]);

const override = z.strictObject({
  region: dnsLabel.describe('A region of weir.yaml.'),
  nodes: labelSelector.describe('The nodes that its clients go to first, wherever those are.'),
});

const shift = withRules(
  z.strictObject({
    nodes: labelSelector.describe('The nodes that the share goes to.'),
    percent: z.int().min(1).max(100).describe('The share of client networks, in percent.'),
    from: moment.describe('When it begins.'),
    until: moment.describe('When it has ended.'),
  }),
  [
    {
      holds: ({ from, until }) => Date.parse(from) < Date.parse(until),
      cel: 'timestamp(self.from) < timestamp(self.until)',
      message: '`from` lies before `until`',
    },
  ],
);

const routing = withRules(
  z.strictObject({
    policy: z
      .enum(['Geo', 'Weighted', 'Failover'])
      .default('Geo')
      .describe(
        'Geo: nodes of the client’s region, else of the regions in its fallback order; the nearest site where there ' +
          'are no regions. Weighted: all nodes by their weights, wherever the client is. Failover: the first step of ' +
          '`order` that can answer.',
      ),
    nodes: labelSelector
      .optional()
      .describe('EdgeNodes that may serve this domain, by their labels; all by default.'),
    order: z
      .array(labelSelector)
      .min(1)
      .max(16)
      .optional()
      .describe(
        'For Failover: the steps, first choice first. A node that no step selects is never answered.',
      ),
    ttl: ttl.default('60s').describe('TTL of the address records.'),
    minTtl: ttl
      .optional()
      .describe(
        'The TTL is lowered towards the next possible change of health, but not below this; half of `ttl` by default.',
      ),
    answers: z.int().min(1).max(8).default(2).describe('How many nodes an answer names at most.'),
    overrides: z
      .array(override)
      .max(64)
      .optional()
      .describe(
        'Other nodes first for clients of some regions; the policy’s own where none of them can answer.',
      ),
    shifts: z
      .array(shift)
      .max(16)
      .optional()
      .describe(
        'Shares of the clients that go to other nodes for a time; the policy’s own where none of them can answer. ' +
          'Shares of shifts that overlap in time add up to at most 100.',
      ),
  }),
  [
    {
      holds: ({ policy, order }) => (policy === 'Failover') === (order !== undefined),
      cel: "(self.policy == 'Failover') == has(self.order)",
      message: 'Failover needs `order`; the other policies have none',
      path: ['order'],
    },
    {
      holds: ({ overrides = [] }) => new Set(overrides.map(({ region }) => region)).size === overrides.length,
      cel: '!has(self.overrides) || self.overrides.all(o, self.overrides.exists_one(p, p.region == o.region))',
      message: 'a region stands once in overrides',
      path: ['overrides'],
    },
  ],
);

const spec = withRules(
  z.strictObject({
    hostname: hostname.describe('The name that clients ask for.'),
    aliases: z
      .array(hostname)
      .max(32)
      .optional()
      .describe('Further names that serve the same content from the same cache.'),
    zone: hostname
      .optional()
      .describe('The zone of weir.yaml in which the CNAME target lies; the first one by default.'),
    origins: z
      .array(origin)
      .length(1)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .describe('Where the content comes from.'),
    cache: z
      .strictObject({
        rules: z
          .array(cacheRule)
          .max(64)
          .optional()
          .describe('The first rule that matches wins; the origin’s headers rule where none does.'),
      })
      .optional()
      .describe('How answers are stored and for how long.'),
    routing: routing.prefault({}).describe('How DNS chooses edges for a client.'),
    tls: tls.optional().describe('Serve it over HTTPS too; without this a TLS handshake for it is refused.'),
  }),
  [
    {
      holds: ({ hostname: name, aliases = [] }) => new Set([name, ...aliases]).size === aliases.length + 1,
      cel: '!has(self.aliases) || (self.aliases.all(a, a != self.hostname && self.aliases.exists_one(b, b == a)))',
      message: 'a name stands once in hostname and aliases',
      path: ['aliases'],
    },
  ],
);

const status = statusSchema({
  quarantined,
  cname: z
    .string()
    .max(253)
    .optional()
    .describe('What to point a CNAME at; there when all connected dns-servers answer for it.'),
  since: revision.optional().describe('Revision of the first edge plan that has this domain.'),
});

export const cdnDomain = {
  kind: 'CdnDomain',
  plural: 'cdndomains',
  singular: 'cdndomain',
  shortNames: ['cdn'],
  scope: 'Namespaced',
  description:
    'A hostname that Weir serves: where its content comes from, how it is cached, and how clients are routed to edges.',
  spec,
  status,
  conditionTypes: ['Accepted', 'Programmed', 'CertificateReady', 'Ready', 'Stalled'],
  columns: [
    { name: 'Hostname', jsonPath: '.spec.hostname', description: 'The name that clients ask for.' },
    { name: 'CNAME', jsonPath: '.status.cname', description: 'What to point a CNAME at.' },
    readyColumn('Whether it serves.'),
    reasonColumn,
  ],
} satisfies KindDefinition;

export type CdnDomainSpec = z.output<typeof spec>;
export type Routing = CdnDomainSpec['routing'];
export type CdnDomainStatus = z.output<typeof status>;
export type CacheRule = z.output<typeof cacheRule>;

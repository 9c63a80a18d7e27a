/** PurgeJob: stored content that every targeted edge is to forget, and the proof that it did. */
import { z } from 'zod';
import { isLinearRegExp } from '../../lib/linear-regexp.ts';
import type { KindDefinition } from './kind.ts';
import { labelSelector } from './label-selector.ts';
import { asSet, dnsLabel, httpUrl, textLike, withRules } from './scalars.ts';
import { reasonColumn, statusSchema } from './status.ts';

const count = z
  .int()
  .min(0)
  .max(2 ** 52);

/** As a CDN's customers write them; a space or a comma separates two in the headers, so none holds one. */
const tag = textLike(/^[\x21-\x2b\x2d-\x7e]+$/, 'a tag: visible ASCII characters without a comma', 256);

const regex = withRules(z.string().min(1).max(256), [
  {
    // What else makes an expression invalid, an API server cannot say; the operator does.
    holds: (text) => isLinearRegExp(text) && !/\(\?[=!]/.test(text),
    cel: "!self.contains('(?=') && !self.contains('(?!')",
    message: 'a regular expression without look-ahead and back references',
  },
]);

const spec = withRules(
  z.strictObject({
    domainRef: z
      .strictObject({ name: dnsLabel.describe('Its name.') })
      .describe('The CdnDomain, in the same namespace.'),
    action: z
      .enum(['Purge', 'SoftPurge', 'Prefetch'])
      .default('Purge')
      .describe(
        'Purge: the next request is a miss. SoftPurge: it is stale from now on, so that it is used again once the ' +
          'origin has confirmed it, and as stale content where staleWhileRevalidate or staleIfError allow that. ' +
          'Prefetch: the nodes fetch `urls`, and what playlists (HLS, DASH) among them name, unless they have it.',
      ),
    urls: z
      .array(httpUrl)
      .min(1)
      .max(500)
      .optional()
      .describe('Single URLs; each covers the domain’s aliases, both schemes and all variants.'),
    prefixes: z
      .array(httpUrl)
      .min(1)
      .max(100)
      .optional()
      .describe('Everything whose URL begins so, query or not; aliases and both schemes too.'),
    tags: asSet(z.array(tag).min(1).max(100))
      .optional()
      .describe(
        'Everything that the origin sent with one of these in `Surrogate-Key` or `Cache-Tag`; case does not matter.',
      ),
    regex: regex
      .optional()
      .describe(
        'Everything whose path and query, such as `/hls/7.ts?v=1`, match this anywhere. Of the query it sees what ' +
          'counts for the cache key.',
      ),
    everything: z.literal(true).optional().describe('All of the domain.'),
    prefetch: z
      .strictObject({
        concurrency: z.int().min(1).max(64).default(8).describe('URLs that a node fetches at the same time.'),
        perSecond: z.int().min(1).max(1_000).default(50).describe('Fetches that a node begins in a second.'),
      })
      .optional()
      .describe('How hard a Prefetch may pull at the origin.'),
    nodes: labelSelector.optional().describe('EdgeNodes that it is for, by their labels; all by default.'),
    activeDeadlineSeconds: z
      .int()
      .min(1)
      .max(604_800)
      .default(3_600)
      .describe('After this the job has failed, and names the nodes that did not ack.'),
    ttlSecondsAfterFinished: z
      .int()
      .min(0)
      .max(2_592_000)
      .default(3_600)
      .describe(
        'How long a finished job that Weir itself keeps stays; one in your folder stays as long as its document.',
      ),
  }),
  [
    {
      holds: ({ urls, prefixes, tags, regex: pattern, everything }) =>
        [urls, prefixes, tags, pattern, everything].filter((target) => target !== undefined).length === 1,
      cel: '[has(self.urls), has(self.prefixes), has(self.tags), has(self.regex), has(self.everything)].filter(t, t).size() == 1',
      message: 'exactly one of urls, prefixes, tags, regex and everything',
    },
    {
      holds: ({ action, urls, prefetch }) =>
        action === 'Prefetch' ? urls !== undefined : prefetch === undefined,
      cel: "self.action == 'Prefetch' ? has(self.urls) : !has(self.prefetch)",
      message: 'a Prefetch has `urls`; `prefetch` is for a Prefetch alone',
    },
  ],
);

const status = statusSchema({
  nodes: z
    .strictObject({
      targeted: count.describe('Nodes that are to forget it.'),
      acked: count.describe('Nodes that did, and said so.'),
      failed: count.describe('Nodes whose last try failed.'),
    })
    .optional()
    .describe('How far it came.'),
  awaited: z
    .array(
      z.strictObject({
        node: z.string().max(253).describe('The EdgeNode.'),
        reason: z.string().max(1_024).describe('Why its ack is missing.'),
      }),
    )
    .max(20)
    .optional()
    .describe('Nodes whose ack is missing; at most 20 are named.'),
  objects: count
    .optional()
    .describe('Stored objects that were dropped, marked stale or prefetched, over all nodes.'),
  startTime: z.string().max(40).optional().describe('When it was first sent to a node (RFC 3339).'),
  completionTime: z.string().max(40).optional().describe('When it ended (RFC 3339).'),
});

export const purgeJob = {
  kind: 'PurgeJob',
  plural: 'purgejobs',
  singular: 'purgejob',
  shortNames: ['purge'],
  scope: 'Namespaced',
  description:
    'Content that edges are to forget. Complete means that every targeted node acked. The spec cannot be changed.',
  spec,
  status,
  immutableSpec: true,
  conditionTypes: ['Complete', 'Failed', 'Ready', 'Stalled'],
  columns: [
    { name: 'Domain', jsonPath: '.spec.domainRef.name', description: 'The CdnDomain.' },
    {
      name: 'Targeted',
      jsonPath: '.status.nodes.targeted',
      type: 'integer',
      description: 'Nodes that are to forget it.',
    },
    { name: 'Acked', jsonPath: '.status.nodes.acked', type: 'integer', description: 'Nodes that did.' },
    {
      name: 'Objects',
      jsonPath: '.status.objects',
      type: 'integer',
      description: 'Objects dropped or marked stale.',
    },
    {
      name: 'Complete',
      jsonPath: '.status.conditions[?(@.type=="Complete")].status',
      description: 'Whether all acked.',
    },
    reasonColumn,
  ],
} satisfies KindDefinition;

export type PurgeJobSpec = z.output<typeof spec>;
export type PurgeJobStatus = z.output<typeof status>;

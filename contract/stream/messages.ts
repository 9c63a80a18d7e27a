/**
 * The stream between operator and agents.
 *
 *     GET /v1/stream?role=edge&node=zz-1&epoch=3&seq=57&digest=…&seen=3&run=x&contract=2,1&bundle=x&secrets=x
 *                                newline-delimited JSON, until one side ends it:
 *       hello                    always first: the contract version that the operator chose
 *       plan | delta | table | rows | secrets | command | trust | heartbeat …
 *     POST /v1/reports           { role, node, reports: [ack | nack | unmatched | done | failed | health | load | usage] } -> 204
 *
 * Over TLS, with the certificate of the agent that role and node name (join.ts). `epoch` and `seq` name the plan that the agent holds (0 and 0: none),
 * `digest` its content: what comes next is a delta against that, where the operator knows it.
 * `seen` is the highest epoch that it met in plans and tables, `run` the operator's run that published its plan: one
 * that lost its memory finds itself below what it never published, and goes above that.
 * `bundle` is the digest of the CAs that the agent trusts; one that sends none is never told of others.
 * `secrets` is the digest of those that the agent holds: where it is that of what it is to hold, none are sent.
 * At most one plan is un-acked per agent; a newer one replaces the one that waits.
 */
import { z } from 'zod';
import { nodeTable } from '../plans/node-table.ts';
import { planDelta } from '../plans/plan-delta.ts';
import { publishedEdgePlan, publishedRoutingPlan } from '../plans/published-plan.ts';
import { revision } from '../plans/revision.ts';
import { agentSecret, secretName } from './agent-secret.ts';
import { planResource } from './plan-resource.ts';
import { usageBatch } from './usage.ts';

/**
 * Versions of this contract that this build speaks, best first: the current one and the one before, so that operator
 * and agents can be replaced in any order. Version 2 has deltas of plans and tables, `unmatched`, `resources` in a nack,
 * and `secrets`; versions.ts says what a peer that speaks version 1 gets instead. A field more in a plan is a new version too:
 * agents refuse what they do not know.
 */
export const CONTRACT_VERSIONS = [2, 1] as const;
export type ContractVersion = (typeof CONTRACT_VERSIONS)[number];

/** What a peer is taken to speak until it says so. */
export const OLDEST_CONTRACT: ContractVersion = 1;

export const STREAM_PATH = '/v1/stream';
export const REPORTS_PATH = '/v1/reports';

/** The operator says something at least this often; an agent that hears nothing for three of them reconnects. */
export const HEARTBEAT_MS = 10_000;

export const role = z.enum(['dns-server', 'edge']);
export type Role = z.infer<typeof role>;

const purge = z.strictObject({
  type: z.literal('purge'),
  /** The PurgeJob's uid: an agent applies it once, and answers a second sending at once. */
  uid: z.string(),
  /** The CdnDomain's uid. */
  domain: z.string(),
  target: z.discriminatedUnion('by', [
    z.strictObject({ by: z.literal('urls'), urls: z.array(z.string()) }),
    z.strictObject({ by: z.literal('prefixes'), prefixes: z.array(z.string()) }),
    z.strictObject({ by: z.literal('tags'), tags: z.array(z.string()) }),
    z.strictObject({ by: z.literal('regex'), regex: z.string() }),
    z.strictObject({ by: z.literal('everything') }),
  ]),
  /** Marked stale instead of dropped. */
  soft: z.literal(true).optional(),
});

/** URLs that the edge is to have stored. It takes its time, other commands do not wait for it, and it gates nothing. */
const prefetch = z.strictObject({
  type: z.literal('prefetch'),
  uid: z.string(),
  domain: z.string(),
  urls: z.array(z.string()),
  concurrency: z.int().min(1),
  perSecond: z.int().min(1),
});

/** All that was stored before the command is applied is revalidated with the origin before it is served again. */
const revalidateAll = z.strictObject({ type: z.literal('revalidateAll'), uid: z.string() });

/** Since contract 2: the operator has these batches of usage; they may go. */
const usageTaken = z.strictObject({
  type: z.literal('usageTaken'),
  uid: z.string(),
  ids: z.array(z.string().max(60)).max(1_000),
});

export const command = z.discriminatedUnion('type', [purge, prefetch, revalidateAll, usageTaken]);
export type Command = z.infer<typeof command>;
export type PurgeCommand = z.infer<typeof purge>;
export type PrefetchCommand = z.infer<typeof prefetch>;

const hello = z.strictObject({ type: z.literal('hello'), contract: z.int(), epoch: z.int() });
const heartbeat = z.strictObject({ type: z.literal('heartbeat') });
/** The CAs are others now, with this digest: the agent renews its certificate, and gets them with it. */
const trust = z.strictObject({ type: z.literal('trust'), bundle: z.string() });
const table = z.strictObject({ type: z.literal('table'), table: nodeTable });
const commandMessage = z.strictObject({ type: z.literal('command'), command });

/** The plan's own content is checked apart, so that a fault in it can be told from a fault in the stream. */
const planMessage = z.strictObject({ type: z.literal('plan'), published: z.unknown() });

/** Since contract 2: a plan as the difference to the one that the agent said it holds. */
const deltaMessage = z.strictObject({ type: z.literal('delta'), delta: planDelta });

/** Since contract 2: the rows that changed since the table of version `base`, which came down this stream. */
const rowsMessage = z.strictObject({ type: z.literal('rows'), base: revision, table: nodeTable });

/**
 * Since contract 2: what makes the secrets that the agent is to hold of those with the digest `base`, or of none. Several
 * in a row are one change; the last one has the digest of what comes out (agent-secret.ts).
 */
const secretsMessage = z.strictObject({
  type: z.literal('secrets'),
  base: z.string().length(64).optional(),
  set: z.array(agentSecret).max(1_000),
  gone: z.array(secretName).max(100_000),
  digest: z.string().length(64).optional(),
});
export type SecretsMessage = z.infer<typeof secretsMessage>;

export const streamMessage = z.discriminatedUnion('type', [
  hello,
  heartbeat,
  table,
  commandMessage,
  planMessage,
  deltaMessage,
  rowsMessage,
  secretsMessage,
  trust,
]);
export type StreamMessage = z.infer<typeof streamMessage>;

/** What each role's plan looks like. */
export const PLAN_OF_ROLE = { 'dns-server': publishedRoutingPlan, edge: publishedEdgePlan } as const;

const ack = z.strictObject({ type: z.literal('ack'), revision });

/** Of many resources that an agent can't take, as many as are worth naming at once. */
export const MAX_NAMED = 16;

/** Local: this machine's disk or memory, concerns this agent alone. Invalid: the content; names the resources if it can. */
const nack = z.strictObject({
  type: z.literal('nack'),
  revision,
  fault: z.enum(['Local', 'Invalid']),
  message: z.string().max(4_096),
  /** Since contract 2: the resources that it can't take, where it knows them. */
  resources: z.array(planResource).max(MAX_NAMED).optional(),
});

/** Since contract 2: a delta does not lead from the plan held to the one announced; the whole plan is asked for. */
const unmatched = z.strictObject({ type: z.literal('unmatched'), revision });

/** A command was applied: applied, fsynced, remembered, then said. */
const done = z.strictObject({
  type: z.literal('done'),
  uid: z.string(),
  /** Stored objects that it dropped or marked. */
  objects: z.int().min(0),
  durationMs: z.number().min(0),
});

/** A command could not be applied; the operator sends it again. */
const failed = z.strictObject({ type: z.literal('failed'), uid: z.string(), message: z.string().max(1_024) });

/** What a dns-server sees of the nodes; sent whole whenever something changed. */
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
          /** Milliseconds until its probes can turn it: the TTL of answers goes by it. */
          turnMs: z.int().min(0).optional(),
        }),
      ),
    }),
  ),
});

const rates = {
  requestsPerSecond: z.number().min(0),
  /** Requests for which no body came from the origin. */
  hitsPerSecond: z.number().min(0),
};

/** How busy an edge is, at a steady beat. */
const load = z.strictObject({
  type: z.literal('load'),
  /** The busier of the machine and of the thread that serves, 0 to 1. */
  cpu: z.number().min(0).max(1),
  /** Sent to clients. */
  bitsPerSecond: z.number().min(0),
  /** Of clients that are open. */
  connections: z.int().min(0),
  requestsPerSecond: rates.requestsPerSecond.optional(),
  hitsPerSecond: rates.hitsPerSecond.optional(),
  /** The busiest of its domains, by `namespace/name`. */
  domains: z
    .array(z.strictObject({ domain: z.string().max(127), ...rates, bitsPerSecond: z.number().min(0) }))
    .max(100)
    .optional(),
});

/** Since contract 2: what domains got, minute by minute; told until `usageTaken` names it. */
const usage = z.strictObject({ type: z.literal('usage'), batches: z.array(usageBatch).max(100) });

export const report = z.discriminatedUnion('type', [ack, nack, unmatched, done, failed, health, load, usage]);
export type Report = z.infer<typeof report>;
export type HealthReport = z.infer<typeof health>;

/** The reporter's name: the EdgeNode for an edge, any stable name for a dns-server. */
export const reports = z.strictObject({
  role,
  node: z.string().min(1).max(253),
  reports: z.array(report).max(10_000),
});
export type Reports = z.infer<typeof reports>;

/**
 * What the `weir` command asks the operator (same port and token as the stream). When the operator does not answer,
 * the command reads the same things from the state folder.
 *
 *     GET /v1/resources          ResourcesView
 *     GET /v1/routing            RoutingView
 *     POST /v1/force             ForceRequest -> 204 when it is durable
 */
import { z } from 'zod';
import type { KindName } from '../kinds/kind.ts';
import type { StatusOf } from '../kinds/kinds.ts';
import type { NodeTable } from '../plans/node-table.ts';
import type { PublishedRoutingPlan } from '../plans/published-plan.ts';
import type { HealthReport } from './messages.ts';

export const RESOURCES_PATH = '/v1/resources';
export const ROUTING_PATH = '/v1/routing';
export const FORCE_PATH = '/v1/force';

/** What a node's health is said to be, whatever probes see; Auto leaves it to them again. */
export const forceRequest = z.strictObject({
  node: z.string(),
  state: z.enum(['Up', 'Down', 'Auto']),
  /** Milliseconds since the epoch; for good when it is missing. */
  until: z.int().optional(),
});
export type ForceRequest = z.infer<typeof forceRequest>;

/** A resource as `weir get` shows it: the form in force, or the refused one when no other was ever accepted. */
export interface ResourceView<K extends KindName = KindName> {
  kind: K;
  metadata: {
    name: string;
    namespace: string;
    uid?: string;
    generation?: number;
    creationTimestamp?: string;
    labels?: Record<string, string>;
  };
  spec: unknown;
  status: StatusOf[K];
}

export interface ResourcesView {
  resources: ResourceView[];
}

/** All that an explanation of a DNS answer is computed from, but for geo data. */
export interface RoutingView {
  published: PublishedRoutingPlan;
  table: NodeTable;
  /** By dns-server, what it sees of the nodes. */
  health: Record<string, HealthReport['nodes']>;
}

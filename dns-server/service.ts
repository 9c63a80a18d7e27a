/**
 * Holds the view that queries are answered from, and makes a new one when plan, node table or health change. The only
 * mutable thing between a packet and its answer is the reference that is swapped here.
 */
import { EMPTY_TABLE, type NodeTable } from '../contract/plans/node-table.ts';
import type { HealthReport } from '../contract/stream/messages.ts';
import type { Log } from '../lib/log.ts';
import { allDownDomains } from './answer/alarms.ts';
import { type Responder, respond } from './answer/respond.ts';
import { createView } from './answer/view.ts';
import type { GeoDatabase } from './geo/geo-database.ts';
import type { Handler } from './listen/handler.ts';
import type { DnsMetrics } from './metrics.ts';
import type { PreparedPlan } from './plan/prepared-plan.ts';
import { MAX_TCP_BYTES } from './wire/constants.ts';
import { ResponseWriter } from './wire/response.ts';

export interface Service {
  usePlan(plan: PreparedPlan): void;
  useTable(table: NodeTable): void;
  useHealth(health: HealthReport['nodes']): void;
  handle: Handler;
}

/** Names in a log line; the gauge has them all. */
const MAX_LOGGED = 10;

export function createService({
  geo,
  metrics,
  log,
}: {
  geo: GeoDatabase;
  metrics: DnsMetrics;
  log: Log;
}): Service {
  const responder: Responder = { view: undefined, geo };
  const writer = new ResponseWriter(MAX_TCP_BYTES);
  let plan: PreparedPlan | undefined;
  let table: NodeTable = EMPTY_TABLE;
  let health: HealthReport['nodes'] = [];
  let alarmed = new Set<string>();

  function swap(): void {
    if (plan === undefined) return;
    const view = createView(plan, table, health);
    responder.view = view;
    raiseAlarms(allDownDomains(view).map(({ spec }) => spec.cname));
  }

  function raiseAlarms(domains: string[]): void {
    const now = new Set(domains);
    metrics.allDown(domains);
    const raised = domains.filter((name) => !alarmed.has(name));
    const cleared = [...alarmed].filter((name) => !now.has(name));
    alarmed = now;
    if (raised.length > 0) {
      const few = raised.slice(0, MAX_LOGGED);
      log.error(
        { domains: few, count: raised.length },
        'all nodes are down or not admitted; all are answered',
      );
    }
    if (cleared.length > 0) {
      const few = cleared.slice(0, MAX_LOGGED);
      log.info({ domains: few, count: cleared.length }, 'nodes can answer again');
    }
  }

  return {
    usePlan(newer) {
      plan = newer;
      metrics.planInForce(newer.published.revision, newer.domains.length);
      swap();
    },
    useTable(newer) {
      table = newer;
      swap();
    },
    useHealth(newer) {
      health = newer;
      metrics.nodeHealth(
        newer.flatMap(({ node, addresses }) =>
          addresses.map(({ address, healthy }) => ({ node, address, healthy })),
        ),
      );
      swap();
    },
    handle(message, source, transport) {
      const responded = respond(responder, message, source, transport, writer);
      metrics.responded(transport, responded);
      return responded.length === 0 ? undefined : writer.buffer.subarray(0, responded.length);
    },
  };
}

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
import { isKnownSubdivision } from './geo/subdivision-codes.ts';
import type { Handler } from './listen/handler.ts';
import type { DnsMetrics } from './metrics.ts';
import type { PreparedPlan } from './plan/prepared-plan.ts';
import { MAX_TCP_BYTES } from './wire/constants.ts';
import { ResponseWriter, servfail } from './wire/response.ts';

export interface Service {
  usePlan(plan: PreparedPlan): void;
  useTable(table: NodeTable): void;
  useHealth(health: HealthReport['nodes']): void;
  handle: Handler;
}

/** Names in a log line, and different failures in the log; the metrics have them all. */
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
  /** Failures that stand in the log; a flood of one packet must not fill the disk. */
  const logged = new Set<string>();

  function usePlan(newer: PreparedPlan): void {
    plan = newer;
    const { revision, plan: published } = newer.published;
    metrics.planInForce(revision, newer.domains.length);
    const codes = published.regions
      .flatMap(({ subdivisions }) => subdivisions)
      .filter((code) => !isKnownSubdivision(code));
    if (codes.length > 0) {
      log.warn(
        { codes },
        'subdivisions without a known name: only GeoIP2 databases, which have codes, place clients there',
      );
    }
    swap();
  }

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
    usePlan,
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
      try {
        return answerTo(message, source, transport);
      } catch (error) {
        // One packet that we fail at must not take the server away from all the others.
        metrics.queryFailed();
        if (!logged.has(String(error)) && logged.size < MAX_LOGGED) {
          logged.add(String(error));
          log.error({ err: error, query: message.toString('hex') }, 'a query failed; answered SERVFAIL');
        }
        return servfail(message);
      }
    },
  };

  function answerTo(...[message, source, transport]: Parameters<Handler>): Buffer | undefined {
    const responded = respond(responder, message, source, transport, writer);
    metrics.responded(transport, responded);
    return responded.length === 0 ? undefined : writer.buffer.subarray(0, responded.length);
  }
}

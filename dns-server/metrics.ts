/**
 * The dns-server's metrics. Queries are counted in plain maps and turned into prom-client's form when they are asked
 * for: a labelled counter costs as much as an answer.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { HealthReport } from '../contract/stream/messages.ts';
import type { Responded, Transport } from './answer/respond.ts';
import { rcodeName, typeName } from './wire/constants.ts';

export interface DnsMetrics {
  registry: Registry;
  responded(transport: Transport, responded: Responded): void;
  planInForce(revision: { epoch: number; seq: number }, domains: number): void;
  nodeHealth(health: HealthReport['nodes']): void;
  probed(node: string, ok: boolean): void;
  allDown(domains: readonly string[]): void;
  geoDatabaseFailed(): void;
  queryFailed(): void;
}

/** Domains that have a label of their own; the others share `other`. */
const MAX_LABELLED_DOMAINS = 1_000;

export function createMetrics(): DnsMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const queries = tally(registry, {
    name: 'weir_dns_queries_total',
    help: 'Queries, by transport, type and response code; `silence` was not answered.',
    labelNames: ['transport', 'type', 'rcode'],
  });
  const answers = tally(registry, {
    name: 'weir_dns_answers_total',
    help: 'Answers to address queries for a domain, by namespace and name.',
    labelNames: ['domain'],
  });
  const truncated = tally(registry, {
    name: 'weir_dns_truncated_total',
    help: 'Responses that did not fit and sent the client to TCP.',
    labelNames: ['transport'],
  });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const epoch = gauge('weir_dns_plan_epoch', 'Epoch of the routing plan in force; 0 is none.');
  const seq = gauge('weir_dns_plan_seq', 'Sequence number, within its epoch, of the routing plan in force.');
  const domainCount = gauge('weir_dns_plan_domains', 'Domains of the routing plan in force.');
  const healthy = gauge('weir_dns_address_healthy', '1 while probes of the address succeed, else 0.', [
    'node',
    'address',
  ]);
  const alarm = gauge(
    'weir_dns_alarm_all_down',
    '1 while no node of the domain passes health and admission, and all of them are answered.',
    ['domain'],
  );
  const probes = new Counter({
    name: 'weir_dns_probes_total',
    help: 'Health probes, by node and result.',
    labelNames: ['node', 'result'],
    registers: [registry],
  });

  const failedDatabases = gauge(
    'weir_dns_geo_databases_failed',
    'Geo databases that could not be read at start.',
  );
  const failures = new Counter({
    name: 'weir_dns_query_failures_total',
    help: 'Queries answered with SERVFAIL because the server failed: a bug, or a damaged geo database.',
    registers: [registry],
  });

  /** What a domain is counted under: its own name, while there is room for it. */
  const labelled = (label: string) =>
    answers.has(label) || answers.size() < MAX_LABELLED_DOMAINS ? label : 'other';

  return {
    registry,
    responded(transport, { length, type, rcode, truncated: cut, domain }) {
      const code = length === 0 ? 'silence' : rcodeName(rcode);
      queries.count(`${transport} ${typeName(type)} ${code}`);
      if (cut) truncated.count(transport);
      if (domain) answers.count(labelled(domain.label));
    },
    planInForce(revision, domains) {
      epoch.set(revision.epoch);
      seq.set(revision.seq);
      domainCount.set(domains);
    },
    nodeHealth(health) {
      healthy.reset();
      for (const { node, addresses } of health) {
        for (const { address, healthy: up } of addresses) healthy.set({ node, address }, up ? 1 : 0);
      }
    },
    geoDatabaseFailed: () => failedDatabases.inc(),
    queryFailed: () => failures.inc(),
    probed: (node, ok) => probes.inc({ node, result: ok ? 'success' : 'failure' }),
    allDown(domains) {
      alarm.reset();
      for (const domain of domains.slice(0, MAX_LABELLED_DOMAINS)) alarm.set({ domain }, 1);
    },
  };
}

interface Tally {
  /** Counts one for these label values, in order, with a space between them. */
  count(values: string): void;
  has(values: string): boolean;
  size(): number;
}

function tally(registry: Registry, config: { name: string; help: string; labelNames: string[] }): Tally {
  const counts = new Map<string, number>();
  const { labelNames } = config;
  new Counter({
    ...config,
    registers: [registry],
    collect() {
      this.reset();
      for (const [values, count] of counts) {
        const parts = values.split(' ');
        this.inc(Object.fromEntries(labelNames.map((name, index) => [name, parts[index] ?? ''])), count);
      }
    },
  });
  return {
    count: (values) => void counts.set(values, (counts.get(values) ?? 0) + 1),
    has: (values) => counts.has(values),
    size: () => counts.size,
  };
}

/** The dns-server's metrics: what was asked and answered, from which plan, and how the nodes are. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Revision } from '../contract/plans/revision.ts';
import type { HealthReport } from '../contract/stream/messages.ts';
import type { DomainAnswer } from './answer/answer-domain.ts';
import type { Responded, Transport } from './answer/respond.ts';
import { CHAINS, chainOf, placeOf, stepsOf } from './answer/steps.ts';
import { COOKIES, type Counts, emptyLike, OUTCOMES } from './fast/counts.ts';
import { Tally } from './tally.ts';
import { rcodeName, typeName } from './wire/constants.ts';

/** Domains that have a label of their own; the others share `other`. */
const MAX_LABELLED_DOMAINS = 1_000;

/** What prepared answers count in memory that threads share, and what its counters are called. */
export interface Meter {
  counts: Counts;
  /** The name of the domain that has this number. */
  labelOf: (number: number) => string;
  places: string[];
}

export class DnsMetrics {
  readonly registry = new Registry();

  readonly #queries = new Tally(
    this.registry,
    'weir_dns_queries_total',
    'Queries, by transport, type and response code; `silence` was not answered.',
    ['transport', 'type', 'rcode'],
    () => this.#drain(),
  );
  readonly #answers = new Tally(
    this.registry,
    'weir_dns_answers_total',
    'Answers to address queries for a domain, by namespace and name.',
    ['domain'],
    () => this.#drain(),
  );
  readonly #truncated = new Tally(
    this.registry,
    'weir_dns_truncated_total',
    'Responses that did not fit and sent the client to TCP.',
    ['transport'],
  );
  readonly #steps = new Tally(
    this.registry,
    'weir_dns_choice_steps_total',
    'Choices of nodes for an answer, made or prepared, by step and what it came to; `client` is the region.',
    ['step', 'result'],
    () => this.#drain(),
  );
  /** By chain: the same as prepared answers count. */
  readonly #chains = new Uint32Array(CHAINS);
  readonly #shifts = new Tally(
    this.registry,
    'weir_dns_shift_queries_total',
    'Queries for a domain while a timed shift of it is in force, by what became of them: moved or kept.',
    ['domain', 'side'],
  );
  readonly #limited = new Tally(
    this.registry,
    'weir_dns_limited_total',
    'UDP queries over a limit, by the limit and what became of them: truncated or dropped.',
    ['limit', 'verdict'],
  );
  readonly #cookies = new Tally(
    this.registry,
    'weir_dns_cookies_total',
    'Queries with a cookie, by its server half: good, bad (forged, expired, for another address) or absent.',
    ['result'],
    () => this.#drain(),
  );
  readonly #refusedConnections = this.#counter(
    'weir_dns_connections_refused_total',
    'Connections that were closed at once, because there were too many or too many of one client.',
  );
  readonly #evictedConnections = this.#counter(
    'weir_dns_connections_evicted_total',
    'Idle connections that were closed because there was no room for another.',
  );
  readonly #shed = this.#counter(
    'weir_dns_shed_total',
    'UDP queries that were dropped because too many of those that nothing is prepared for were waiting.',
  );
  readonly #signatures = this.#counter(
    'weir_dns_signatures_total',
    'DNSSEC signatures made; answers that were signed before need none.',
  );
  readonly #unsigned = this.#gauge(
    'weir_dns_alarm_zone_without_key',
    '1 while the zone should be signed and there is no key for it.',
    ['zone'],
  );
  readonly #failures = this.#counter(
    'weir_dns_query_failures_total',
    'Queries answered with SERVFAIL because the server failed: a bug, or a damaged geo database.',
  );
  readonly #epoch = this.#gauge('weir_dns_plan_epoch', 'Epoch of the routing plan in force; 0 is none.');
  readonly #seq = this.#gauge('weir_dns_plan_seq', 'Number, within its epoch, of the routing plan in force.');
  readonly #domains = this.#gauge('weir_dns_plan_domains', 'Domains of the routing plan in force.');
  readonly #probes = this.#counter('weir_dns_probes_total', 'Health probes, by node and result.', [
    'node',
    'result',
  ]);
  readonly #healthy = this.#gauge('weir_dns_address_healthy', '1 while the address counts as up, else 0.', [
    'node',
    'address',
  ]);
  readonly #allDown = this.#gauge(
    'weir_dns_alarm_all_down',
    '1 while no node of the domain passes health and admission, and all of them are answered.',
    ['domain'],
  );
  readonly #massDown = this.#gauge(
    'weir_dns_alarm_mass_down_nodes',
    'Nodes that count as up although probes fail, since more than half went down at once: look at the own network.',
  );
  readonly #geoFaults = this.#gauge(
    'weir_dns_geo_faults',
    'Geo files that could not be read, and rows of your own networks that could not be used, at the last attempt.',
  );
  readonly #geoCompilations = this.#counter(
    'weir_dns_geo_compilations_total',
    'Compilations of the geo tables: at the first plan, and whenever its regions or a geo file changed.',
  );
  readonly #geoSeconds = this.#gauge(
    'weir_dns_geo_compilation_seconds',
    'How long the last compilation of the geo tables took, beside the answering.',
  );

  /** Each meter with what was read of it so far. */
  readonly #meters = new Map<Meter, Counts>();
  readonly #chainsSeen = new Uint32Array(CHAINS);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  responded(
    transport: Transport,
    { length, type, rcode, truncated, domain, answer, limited, cookie }: Responded,
  ): void {
    if (limited) this.#limited.count(`${limited.by} ${limited.verdict === 'Drop' ? 'dropped' : 'truncated'}`);
    if (cookie !== 'none') this.#cookies.count(cookie);
    const code = length === 0 ? 'silence' : rcodeName(rcode);
    this.#queries.count(`${transport} ${typeName(type)} ${code}`);
    if (truncated) this.#truncated.count(transport);
    if (domain) this.#answers.count(this.#labelOf(domain.label));
    if (answer) this.#chosen(answer);
  }

  #chosen(answer: DomainAnswer): void {
    const chain = chainOf(answer);
    this.#chains[chain] = (this.#chains[chain] ?? 0) + 1;
    this.#steps.count(`client ${placeOf(answer.placement.region)}`);
    if (answer.side === 'None') return;
    this.#shifts.count(`${this.#labelOf(answer.domain.label)} ${answer.side === 'Moved' ? 'moved' : 'kept'}`);
  }

  shed(queries: number): void {
    this.#shed.inc(queries);
  }

  connectionEvicted(): void {
    this.#evictedConnections.inc();
  }

  connectionRefused(): void {
    this.#refusedConnections.inc();
  }

  signed(): void {
    this.#signatures.inc();
  }

  zonesWithoutKeys(zones: readonly string[]): void {
    this.#unsigned.reset();
    for (const zone of zones) this.#unsigned.set({ zone }, 1);
  }

  /** Counts what prepared answers count, from now on until the meter is taken off. */
  attach(meter: Meter): void {
    this.#meters.set(meter, emptyLike(meter.counts));
  }

  detach(meter: Meter): void {
    this.#drain();
    this.#meters.delete(meter);
  }

  #drain(): void {
    const countChain = (chain: number, by: number) => {
      for (const step of stepsOf(chain)) this.#steps.count(step, by);
    };
    drain(this.#chains, this.#chainsSeen, countChain);
    for (const [{ counts, labelOf, places }, seen] of this.#meters) {
      drain(counts.chains, seen.chains, countChain);
      drain(counts.names, seen.names, (at, by) => this.#answers.count(this.#labelOf(labelOf(at)), by));
      drain(counts.places, seen.places, (at, by) => this.#steps.count(`client ${places[at] ?? ''}`, by));
      drain(counts.outcomes, seen.outcomes, (at, by) => this.#countOutcome(at, by));
      drain(counts.cookies, seen.cookies, (at, by) => this.#cookies.count(COOKIE_NAMES[at] ?? '', by));
    }
  }

  #countOutcome(at: number, by: number): void {
    const type = at % 2 === 0 ? 'A' : 'AAAA';
    const outcome = at - (at % 2);
    this.#queries.count(`udp ${type} ${outcome === OUTCOMES.dropped ? 'silence' : 'NOERROR'}`, by);
    if (outcome === OUTCOMES.answered) return;
    const limit = outcome === OUTCOMES.clientTruncated ? 'client' : 'responses';
    this.#limited.count(`${limit} ${outcome === OUTCOMES.dropped ? 'dropped' : 'truncated'}`, by);
    if (outcome !== OUTCOMES.dropped) this.#truncated.count('udp', by);
  }

  queryFailed(): void {
    this.#failures.inc();
  }

  planInForce({ epoch, seq }: Revision, domains: number): void {
    this.#epoch.set(epoch);
    this.#seq.set(seq);
    this.#domains.set(domains);
  }

  probed(node: string, ok: boolean): void {
    this.#probes.inc({ node, result: ok ? 'success' : 'failure' });
  }

  nodeHealth(health: HealthReport['nodes']): void {
    this.#healthy.reset();
    for (const { node, addresses } of health) {
      for (const { address, healthy } of addresses) this.#healthy.set({ node, address }, healthy ? 1 : 0);
    }
  }

  allDown(domains: readonly string[]): void {
    this.#allDown.reset();
    for (const domain of domains.slice(0, MAX_LABELLED_DOMAINS)) this.#allDown.set({ domain }, 1);
  }

  geoCompiled({ faults, milliseconds }: { faults: number; milliseconds: number }): void {
    this.#geoFaults.set(faults);
    this.#geoCompilations.inc();
    this.#geoSeconds.set(milliseconds / 1_000);
  }

  massDown(nodes: number): void {
    this.#massDown.set(nodes);
  }

  #labelOf(domain: string): string {
    return this.#answers.has(domain) || this.#answers.size < MAX_LABELLED_DOMAINS ? domain : 'other';
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

const COOKIE_NAMES = Object.keys(COOKIES);

/** Tells by how much each counter rose since it was seen. */
function drain(counters: Uint32Array, seen: Uint32Array, count: (at: number, by: number) => void): void {
  for (let at = 0; at < counters.length; at++) {
    const now = counters[at] ?? 0;
    // In 32 bits, as the counters themselves.
    const by = (now - (seen[at] ?? 0)) >>> 0;
    if (by === 0) continue;
    seen[at] = now;
    count(at, by);
  }
}

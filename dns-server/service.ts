/**
 * Holds the view that queries are answered from, and makes a new one when plan, node table or health change. The only
 * mutable thing between a packet and its answer is the reference that is swapped here.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { EMPTY_TABLE, type NodeTable } from '../contract/plans/node-table.ts';
import type { HealthReport } from '../contract/stream/messages.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { createAllDownAlarm } from './all-down-alarm.ts';
import { allDownDomains } from './answer/alarms.ts';
import { type Responder, respond } from './answer/respond.ts';
import { nextBoundary } from './answer/shift.ts';
import { nextForcedEnd } from './answer/standing.ts';
import { createView, type View } from './answer/view.ts';
import { SECRET_BYTES } from './cookies/cookies.ts';
import type { Secrets } from './dnssec/read-secrets.ts';
import { Signers } from './dnssec/signers.ts';
import { PreparedAnswers } from './fast/prepared-answers.ts';
import type { GeoDatabase } from './geo/geo-database.ts';
import { type GeoRules, geoRulesOf } from './geo/geo-sources.ts';
import type { IpAddress } from './geo/ip-address.ts';
import type { Places } from './geo/region-table.ts';
import { isKnownSubdivision } from './geo/subdivision-codes.ts';
import type { Handler } from './listen/handler.ts';
import { TCP_LIMITS } from './listen/tcp.ts';
import type { DnsMetrics } from './metrics.ts';
import type { PreparedPlan } from './plan/prepared-plan.ts';
import { createGate, createLimits, type Limits, OPEN_GATE } from './rate-limit/gate.ts';
import { MAX_TCP_BYTES } from './wire/constants.ts';
import { ResponseWriter, servfail } from './wire/response.ts';

export interface ServiceOptions {
  /** Who we say that we are, when asked (NSID). */
  name: string;
  geo: GeoDatabase;
  metrics: DnsMetrics;
  log: Log;
  clock: Clock;
}

/** Different failures in the log: a flood of one packet must not fill the disk. */
const MAX_LOGGED_FAILURES = 10;

/** Timers hold no more than 2^31 ms; a clock that is set anew is noticed within the hour. */
const MAX_TIMER_MS = 3_600_000;

/** How old a prepared answer can become. */
const FORGET_MS = 3_600_000;
/** A view of so many domains takes long to make: after one, changes of health wait a millisecond per hundred domains. */
const LARGE = 20_000;
const SIZE_PER_MS = 100;
/** What a node costs, in domains; with a thousand nodes their probes end all the time. */
const DOMAINS_PER_NODE = 100;

export class Service {
  readonly #metrics: DnsMetrics;
  readonly #log: Log;
  readonly #responder: Responder;
  /** What stands in front of the ordinary path. */
  readonly prepared: PreparedAnswers;
  readonly #writer = new ResponseWriter(MAX_TCP_BYTES);
  readonly #alarm: (domains: readonly string[]) => void;
  readonly #loggedFailures = new Set<string>();
  readonly #clock: Clock;
  readonly #signers: Signers;
  #limits: Limits | undefined;
  #missingKeys: string[] = [];
  #cancelSwap: (() => void) | undefined;
  /** Changes of health wait until then. */
  #restUntil = 0;
  #plan: PreparedPlan | undefined;
  #table: NodeTable = EMPTY_TABLE;
  #health: HealthReport['nodes'] = [];
  #cancelBoundary = () => {};
  #cancelForgetting = () => {};

  constructor({ name, geo, metrics, log, clock }: ServiceOptions) {
    this.#metrics = metrics;
    this.prepared = new PreparedAnswers({
      metrics,
      geo,
      ordinary: (message, source, now) => this.#ordinary(message, source, now),
    });
    this.#log = log;
    this.#clock = clock;
    this.#signers = new Signers(() => metrics.signed());
    // Until the one comes that all dns-servers share.
    const cookieSecret = randomBytes(SECRET_BYTES);
    this.prepared.useCookieSecret(cookieSecret);
    this.#responder = {
      view: undefined,
      geo,
      signers: this.#signers.byZone,
      gate: OPEN_GATE,
      cookieSecret,
      nsid: Buffer.from(name),
      idleMs: TCP_LIMITS.idleMs,
    };
    this.#alarm = createAllDownAlarm(metrics, log);
    this.#forgetHourly();
  }

  usePlan(plan: PreparedPlan): void {
    const { rateLimit } = plan.published.plan;
    // What is counted is kept, unless the limits are others.
    if (!isDeepStrictEqual(rateLimit, this.#plan?.published.plan.rateLimit)) {
      this.#limits = createLimits(rateLimit);
      this.#responder.gate = createGate(this.#limits);
    }
    this.#plan = plan;
    this.#tellMissingKeys();
    this.#metrics.planInForce(plan.published.revision, plan.domains.length);
    warnOfSubdivisions(plan, this.#log);
    this.#swap();
  }

  /** The limits in force, with what was counted: other threads count with it. */
  readonly limits = (): Limits | undefined => this.#limits;

  /** What the plan in force needs geo tables to tell. */
  geoRules(): GeoRules | undefined {
    return this.#plan && geoRulesOf(this.#plan.published.plan);
  }

  /** Geo files changed. */
  usePlaces(places: Places): void {
    if (this.#plan === undefined) return;
    this.#plan = { ...this.#plan, regions: { ...this.#plan.regions, places } };
    this.#swap();
  }

  useSecrets({ zones, cookie }: Secrets): void {
    this.#signers.use(zones);
    this.#responder.signers = this.#signers.byZone;
    if (cookie) {
      this.#responder.cookieSecret = cookie;
      this.prepared.useCookieSecret(cookie);
    }
    this.prepared.reset(this.#clock.now());
    this.#tellMissingKeys();
  }

  useTable(table: NodeTable): void {
    this.#table = table;
    this.#swap();
  }

  useHealth(health: HealthReport['nodes']): void {
    this.#health = health;
    this.#metrics.nodeHealth(health);
    this.#swapSoon();
  }

  readonly handle: Handler = (message, source, transport) => {
    try {
      const now = this.#clock.now();
      const quick = transport === 'udp' && this.prepared.answer(message, source, now);
      if (quick && this.#responder.gate === OPEN_GATE) return this.prepared.take();
      const judged = quick ? this.#responder.gate(source, this.prepared.hasGoodCookie(), now) : undefined;
      if (quick && judged?.by === undefined) return this.prepared.take();
      // A limit that it met is not counted a second time.
      const responder = judged ? { ...this.#responder, gate: () => judged } : this.#responder;
      const responded = respond(responder, message, source, transport, this.#writer, now);
      this.#metrics.responded(transport, responded);
      if (responded.length === 0) return undefined;
      const response = Buffer.from(this.#writer.buffer.subarray(0, responded.length));
      if (transport === 'udp' && responded.limited === undefined)
        this.prepared.learn(message, source, response, now);
      return response;
    } catch (error) {
      // One packet that we fail at must not take the server away from all the others.
      this.#failed(message, error);
      return servfail(message);
    }
  };

  /** Nothing where it fails: who asks that again is told, and the log. */
  #ordinary(message: Buffer, source: IpAddress, now: number): Uint8Array | undefined {
    try {
      const unlimited = { ...this.#responder, gate: OPEN_GATE };
      const { length } = respond(unlimited, message, source, 'udp', this.#writer, now);
      return this.#writer.buffer.subarray(0, length);
    } catch {
      return undefined;
    }
  }

  /** A thousand probes that end one by one must not make a thousand views where each takes long: answers come first. */
  #swapSoon(): void {
    const now = this.#clock.now();
    if (now >= this.#restUntil) this.#swap();
    else this.#cancelSwap ??= this.#clock.after(this.#restUntil - now, () => this.#swap());
  }

  #swap(): void {
    this.#cancelSwap?.();
    this.#cancelSwap = undefined;
    if (this.#plan === undefined) return;
    const size = this.#plan.domains.length + DOMAINS_PER_NODE * this.#plan.nodes.length;
    if (size >= LARGE) this.#restUntil = this.#clock.now() + size / SIZE_PER_MS;
    const view = createView(this.#plan, this.#table, this.#health, this.#clock.now());
    this.#responder.view = view;
    this.prepared.useView(view);
    this.#alarm(allDownDomains(view).map(({ label }) => label));
    this.#awaitBoundary(view);
  }

  /** Shifts and forced states begin and end by the clock: there is a new view then, and no clock in any answer. */
  #awaitBoundary({ plan, now }: View): void {
    this.#cancelBoundary();
    const moments = [nextBoundary(plan.domains, now), nextForcedEnd(this.#table, now)];
    const next = Math.min(...moments.filter((moment) => moment !== undefined));
    if (!Number.isFinite(next)) return;
    this.#cancelBoundary = this.#clock.after(Math.min(next - now, MAX_TIMER_MS), () => this.#swap());
  }

  /** Prepared answers hold signatures, which the signers make anew long before they expire. */
  #forgetHourly(): void {
    this.#cancelForgetting = this.#clock.after(FORGET_MS, () => {
      this.prepared.reset(this.#clock.now());
      this.#forgetHourly();
    });
  }

  /** No view is made any more. */
  stop(): void {
    this.#cancelForgetting();
    this.#cancelSwap?.();
    this.#cancelBoundary();
  }

  /** A zone that should be signed and has no key is answered unsigned; where the parent has a DS that is bogus. */
  #tellMissingKeys(): void {
    const zones = [...(this.#plan?.zones.values() ?? [])].filter(({ spec }) => spec.dnssec);
    const missing = zones.filter(({ key }) => !this.#signers.byZone.has(key)).map(({ spec }) => spec.name);
    this.#metrics.zonesWithoutKeys(missing);
    if (isDeepStrictEqual(missing, this.#missingKeys)) return;
    this.#missingKeys = missing;
    if (missing.length > 0)
      this.#log.error({ zones: missing }, 'zones have no key and are answered unsigned');
    else this.#log.info('all zones that should be signed have their keys');
  }

  #failed(message: Buffer, error: unknown): void {
    this.#metrics.queryFailed();
    const text = String(error);
    if (this.#loggedFailures.has(text) || this.#loggedFailures.size >= MAX_LOGGED_FAILURES) return;
    this.#loggedFailures.add(text);
    this.#log.error({ err: error, query: message.toString('hex') }, 'a query failed; answered SERVFAIL');
  }
}

/** A region's member that places nobody would else be noticed by the clients that go elsewhere. */
function warnOfSubdivisions({ published }: PreparedPlan, log: Log): void {
  const members = published.plan.regions.flatMap(({ subdivisions }) => subdivisions);
  const codes = members.filter((code) => !isKnownSubdivision(code));
  if (codes.length === 0) return;
  log.warn(
    { codes },
    'subdivisions without a known name: only GeoIP2 databases, which have codes, place clients there',
  );
}

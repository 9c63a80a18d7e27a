/**
 * Prepared answers of the thread that has the plan, and what other threads need to give the same ones: followers hear
 * of tables, of every slot, and when what was prepared is no longer right.
 */
import { placeOf } from '../answer/steps.ts';
import type { View } from '../answer/view.ts';
import type { GeoDatabase } from '../geo/geo-database.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import type { DnsMetrics, Meter } from '../metrics.ts';
import type { PreparedPlan } from '../plan/prepared-plan.ts';
import { type Counts, emptyLike } from './counts.ts';
import { FastPath, type FastTables, NOT_PLAIN, UNKNOWN } from './fast-path.ts';
import { type FastPlan, prepareFastPlan } from './fast-plan.ts';
import { type Learnt, learn } from './learn.ts';
import { Lessons } from './lessons.ts';
import type { BY_DOMAIN, NewSignature, Slot, Slots } from './slot.ts';

/** A change comes in one piece: between tables and their slots nobody would know an answer. */
export interface Follower {
  tables: (tables: FastTables | undefined, slots: Slots) => void;
  slot(key: number, slot: Slot | typeof BY_DOMAIN): void;
  /** One more of a slot that it has. */
  signature(key: number, signature: NewSignature): void;
  /** These in place of all that it has. */
  reset(slots: Slots): void;
  /** What cookies are made with from now on. */
  cookieSecret(secret: Buffer): void;
}

/** Room for a plain query and, in its place, the largest answer. A larger query is not plain. */
const MAX_BYTES = 2_048;

/** A hundred bytes and more each, in every thread. */
const MAX_SIGNATURES = 100_000;

/** The ordinary path's answer, of which nothing is counted. */
type Ordinary = (message: Buffer, source: IpAddress, now: number) => Uint8Array | undefined;

export class PreparedAnswers {
  readonly #metrics: DnsMetrics;
  readonly #geo: GeoDatabase;
  readonly #memory = Buffer.from(new ArrayBuffer(MAX_BYTES));
  readonly #fast = new FastPath({ bytes: this.#memory, view: new DataView(this.#memory.buffer) });
  readonly #followers = new Set<Follower>();
  readonly #lessons = new Lessons();
  readonly #ordinary: Ordinary;
  #plan: FastPlan | undefined;
  #meter: Meter | undefined;
  #view: View | undefined;
  /** How many are kept. */
  #signatures = 0;
  /** What the fast path said to the query at hand. */
  #asked = 0;
  #cookieSecret: Buffer | undefined;

  constructor({
    metrics,
    geo,
    ordinary,
  }: {
    metrics: DnsMetrics;
    geo: GeoDatabase;
    ordinary: Ordinary;
  }) {
    this.#metrics = metrics;
    this.#ordinary = ordinary;
    this.#geo = geo;
  }

  /** A view is in force; all that was prepared is made anew, and the tables where its plan is another. */
  useView(view: View): void {
    const { plan } = view;
    const samePlan = plan === this.#view?.plan;
    this.#view = view;
    if (samePlan) this.reset(view.now);
    else this.#usePlan(plan, view.now);
  }

  #usePlan(plan: PreparedPlan, now: number): void {
    const geo = plan.regions.places?.compiled;
    this.#plan = geo && prepareFastPlan(plan, geo, this.#plan);
    if (this.#meter) this.#metrics.detach(this.#meter);
    this.#meter = this.#plan && meterOf(this.#plan, this.#plan.tables.counts);
    if (this.#meter) this.#metrics.attach(this.#meter);
    this.#fast.use(this.#plan?.tables);
    this.#relearn(now);
    for (const follower of this.#followers) follower.tables(this.#plan?.tables, this.#fast.slots);
  }

  /** Signatures that are kept are no older than the last reset: whoever calls it now and then keeps them fresh. */
  reset(now: number): void {
    this.#fast.use(this.#plan?.tables);
    this.#relearn(now);
    for (const follower of this.#followers) follower.reset(this.#fast.slots);
  }

  useCookieSecret(secret: Buffer): void {
    this.#cookieSecret = secret;
    this.#fast.useCookieSecret(secret);
    for (const follower of this.#followers) follower.cookieSecret(secret);
  }

  /** What was asked before is prepared before it is asked again: followers go on without a gap. */
  #relearn(now: number): void {
    this.#signatures = 0;
    for (const lesson of this.#lessons.take()) {
      const { message, source } = lesson;
      if (this.answer(message, source, now) || this.#asked !== UNKNOWN) continue;
      const ordinary = this.#ordinary(message, source, now);
      const learnt = ordinary && this.#learn(ordinary);
      if (learnt?.slot) this.#lessons.keep(this.#taught(), lesson);
    }
  }

  /** The slot and the shape that the query at hand is about. */
  #taught(): string {
    return `${this.#fast.key} ${this.#fast.query.shape}`;
  }

  /** Whether there is an answer, to be taken; if not, it is left to the ordinary path, which then calls `learn`. */
  answer(message: Buffer, source: IpAddress, now: number): boolean {
    this.#asked = NOT_PLAIN;
    if (message.length > MAX_BYTES) return false;
    this.#memory.set(message);
    this.#asked = this.#fast.answer(0, message.length, source.bytes, now);
    return this.#asked > 0;
  }

  hasGoodCookie(): boolean {
    return this.#fast.hasGoodCookie();
  }

  /** The answer to the query that was asked last, counted as given. */
  take(): Buffer {
    this.#fast.count();
    const answer = Buffer.allocUnsafe(this.#asked);
    this.#memory.copy(answer, 0, 0, this.#asked);
    return answer;
  }

  #learn(ordinary: Uint8Array): Learnt | undefined {
    if (this.#asked !== UNKNOWN || this.#plan === undefined || this.#view === undefined) return undefined;
    const learnt = learn(this.#fast, this.#plan, this.#view, this.#geo, ordinary);
    if (learnt?.signature) this.#signatures++;
    return learnt;
  }

  /** After the ordinary path gave this answer to the query that was asked last. */
  learn(message: Buffer, source: IpAddress, ordinary: Uint8Array, now: number): void {
    const learnt = this.#learn(ordinary);
    if (learnt === undefined) return;
    const { key, slot, signature } = learnt;
    if (slot) this.#lessons.remember(this.#taught(), message, source);
    if (this.#signatures > MAX_SIGNATURES) {
      this.reset(now);
      return;
    }
    for (const follower of this.#followers) {
      if (slot) follower.slot(key, slot);
      if (signature) follower.signature(key, signature);
    }
  }

  /** Tells a follower what there is, and from now on what changes; until the returned function is called. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    if (this.#cookieSecret) follower.cookieSecret(this.#cookieSecret);
    follower.tables(this.#plan?.tables, this.#fast.slots);
    return () => this.#followers.delete(follower);
  }

  /** The tables with counters of a thread's own, which are read until `detach`. */
  metered(tables: FastTables): { tables: FastTables; detach: () => void } {
    const counts = emptyLike(tables.counts);
    const meter = this.#plan && meterOf(this.#plan, counts);
    if (meter) this.#metrics.attach(meter);
    return {
      tables: { ...tables, counts },
      detach: () => {
        if (meter) this.#metrics.detach(meter);
      },
    };
  }
}

function meterOf({ domains, tables }: FastPlan, counts: Counts): Meter {
  return {
    counts,
    labelOf: (number) => domains[number]?.label ?? '',
    places: tables.geo.results.map(({ region }) => placeOf(region)),
  };
}

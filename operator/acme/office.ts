/**
 * The leader's office for certificates that are ordered: looks at each tick which Certificates need one, and lets one
 * order run for each (course.ts), never two for one name. What it must not forget lies in the vault, after every step.
 *
 *     Certificates with acme ──due?──> order ──challenges──> plans ──acked, seen at each name server──> server validates
 *                                        └──certificate──> the book of those in force
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { CdnDomain, Certificate } from '../../contract/kinds/kinds.ts';
import { partDigest } from '../../contract/plans/published-plan.ts';
import type { Role } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { parsedJson } from '../../lib/parsed-json.ts';
import type { CertificateBook } from '../certificates/book.ts';
import { certificateHolder, dateOf, good, type Judgement, type Ordered } from '../certificates/holdings.ts';
import { covers, type Pair } from '../certificates/pair.ts';
import type { Vault } from '../certificates/vault.ts';
import { AcmeProblem } from './client.ts';
import { type Course, Obstacle, runCourse } from './course.ts';
import type { Dns } from './dns.ts';
import { type OrderRecord, orderRecord } from './forms.ts';
import { acmeTarget } from './places.ts';
import { type Paces, renewalTime, retryInMs } from './renewal.ts';

/** More would make a burst of whoever has ten thousand of them. */
const AT_ONCE = 8;
/** Somebody who can't wait: one that began before this time is renewed. */
export const RENEW_ANNOTATION = 'cdn.weir.dev/renew-before';
/** RFC 9773 4.3.2 has the server say how often; less often than this nobody needs it. */
const WINDOW_FRESH_MS = 6 * 3_600_000;

export interface AcmeSurroundings {
  config: () => WeirConfig | undefined;
  certificates: () => readonly Certificate[];
  domains: () => readonly CdnDomain[];
  /** An entry of a Secret that the Certificate names. */
  secretEntry: (certificate: Certificate, name: string, entry: string) => string | undefined;
  book: CertificateBook;
  vault: Vault;
  /** Has what the book says put into plans, and statuses. */
  reload: () => Promise<void>;
  /** Whether every connected agent of that role, and at least one, has the newest plan. */
  isEverywhere: (role: Role) => boolean;
  dns: Dns;
  paces: Paces;
  clock: Clock;
  random?: () => number;
  log: Log;
}

export interface Window {
  start: number;
  end: number;
}

const orderEntry = (key: string) => `order/${key}`;

export class AcmeOffice {
  readonly #around: AcmeSurroundings;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, { work: Promise<void>; names: readonly string[] }>();
  readonly #records = new Map<string, OrderRecord>();
  readonly #ordered = new Map<string, Ordered>();
  readonly #windows = new Map<string, { serial: string; window: Window | undefined; until: number }>();
  readonly #challenges = new Map<string, Course['challenges']>();
  #loaded: Promise<boolean> | undefined;

  constructor(around: AcmeSurroundings) {
    this.#around = around;
  }

  /** Often: what is due begins, and what is gone is forgotten. */
  async tick(): Promise<void> {
    this.#loaded ??= this.#load();
    if (!(await this.#loaded)) {
      this.#loaded = undefined;
      return;
    }
    const { config, certificates } = this.#around;
    const settings = config();
    if (!settings || this.#stop.signal.aborted) return;
    const wanted = new Map<string, { certificate: Certificate; acme: AcmeSpec }>();
    for (const certificate of certificates()) {
      const { acme } = certificate.spec;
      if (acme) wanted.set(keyOf(certificate), { certificate, acme });
    }
    let changed = this.#forget(wanted);
    for (const [key, { certificate, acme }] of wanted) {
      changed = this.#show(key, certificate, acme, settings) || changed;
      const isBusy = this.#running.has(key) || this.#running.size >= AT_ONCE;
      if (!isBusy && this.#isDue(key, certificate, acme)) this.#begin(key, certificate, acme, settings);
    }
    if (changed) await this.#tell();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the operator stops'));
    await Promise.all([...this.#running.values()].map(({ work }) => work));
  }

  async #load(): Promise<boolean> {
    try {
      for (const [name, value] of await this.#around.vault.read()) {
        const read = name.startsWith('order/') ? orderRecord.safeParse(parsedJson(value)) : undefined;
        if (read?.success) this.#records.set(name.slice('order/'.length), read.data);
      }
      return true;
    } catch (error) {
      this.#around.log.error({ err: error }, 'orders of certificates are not read; trying again');
      return false;
    }
  }

  #forget(wanted: ReadonlyMap<string, unknown>): boolean {
    let changed = false;
    for (const key of this.#ordered.keys()) {
      if (wanted.has(key)) continue;
      this.#ordered.delete(key);
      changed = true;
    }
    for (const key of this.#records.keys()) if (!wanted.has(key)) void this.#write(key, undefined);
    return changed;
  }

  /** What people see of it; true where that is other than before. */
  #show(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): boolean {
    const pair = this.#pair(certificate);
    const next: Ordered = {
      judgement: this.#judgement(key, pair, certificate),
      ...(pair && { renewalTime: this.#renewalTime(key, pair) }),
      ...(acme.challenge === 'DNS01' && { acmeTarget: acmeTarget(certificate, config) }),
    };
    if (JSON.stringify(this.#ordered.get(key)) === JSON.stringify(next)) return false;
    this.#ordered.set(key, next);
    return true;
  }

  #judgement(key: string, pair: Pair | undefined, certificate: Certificate): Judgement {
    const record = this.#recordOf(key, certificate);
    const failed =
      record?.reason === undefined
        ? undefined
        : `${record.message ?? record.reason}; tried again ${dateOf(record.notBefore)}`;
    if (pair && fits(pair, certificate)) {
      const judgement = good(pair);
      return failed === undefined
        ? judgement
        : { ...judgement, message: `${judgement.message}; renewal: ${failed}` };
    }
    const stays = pair ? '; the certificate before it stays in force' : '';
    if (failed !== undefined)
      return {
        status: 'False',
        reason: record?.reason ?? 'Failed',
        message: `${failed}${stays}`.slice(0, 4_000),
      };
    return { status: 'False', reason: 'Ordering', message: `it is being ordered${stays}` };
  }

  #isDue(key: string, certificate: Certificate, acme: AcmeSpec): boolean {
    const { clock } = this.#around;
    const now = clock.now();
    const record = this.#recordOf(key, certificate);
    if (record && now < record.notBefore) return false;
    const names = certificate.spec.hostnames;
    const isOrdered = [...this.#running.values()].some((other) =>
      other.names.some((name) => names.includes(name)),
    );
    if (isOrdered) return false;
    const pair = this.#pair(certificate);
    if (record?.url !== undefined || !pair || !fits(pair, certificate)) return true;
    const asked = Date.parse(certificate.metadata.annotations[RENEW_ANNOTATION] ?? '');
    if (pair.notBefore < asked && asked <= now) return true;
    this.#refreshWindow(key, pair, certificate, acme);
    return now >= this.#renewalTime(key, pair);
  }

  #renewalTime(key: string, pair: Pair): number {
    const known = this.#windows.get(key);
    return renewalTime(pair, known?.serial === pair.serialNumber ? known.window : undefined);
  }

  /** Asked beside everything else; a server that says nothing leaves the two thirds. */
  #refreshWindow(key: string, pair: Pair, certificate: Certificate, acme: AcmeSpec): void {
    const { clock } = this.#around;
    const known = this.#windows.get(key);
    if (known?.serial === pair.serialNumber && clock.now() < known.until) return;
    const until = clock.now() + WINDOW_FRESH_MS;
    const before = known?.serial === pair.serialNumber ? known.window : undefined;
    this.#windows.set(key, { serial: pair.serialNumber, window: before, until });
    const course = this.#course(key, certificate, acme);
    course
      .suggestedWindow(pair)
      .then((window) => {
        if (window) this.#windows.set(key, { serial: pair.serialNumber, window, until });
      })
      .catch((error: unknown) =>
        this.#around.log.warn({ certificate: key, reason: messageOf(error) }, 'no renewal information'),
      );
  }

  #begin(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): void {
    const work = this.#run(key, certificate, acme, config).finally(() => this.#running.delete(key));
    this.#running.set(key, { work, names: certificate.spec.hostnames });
  }

  async #run(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): Promise<void> {
    const { log, book } = this.#around;
    const course = this.#course(key, certificate, acme);
    try {
      const value = await course.run(config);
      const pair = book.issued(
        certificateHolder(certificate.metadata.namespace, certificate.metadata.name),
        value,
      );
      log.info({ certificate: key, notAfter: dateOf(pair.notAfter) }, 'a certificate was issued');
      // In force first: a crash between the two orders nothing a second time.
      await this.#around.reload();
      await book.idle();
      await this.#write(key, undefined);
    } catch (error) {
      if (!this.#stop.signal.aborted) await this.#failed(key, certificate, error);
    } finally {
      this.#challenges.delete(key);
      if (!this.#stop.signal.aborted) await this.#tell().catch(() => {});
    }
  }

  #course(key: string, certificate: Certificate, acme: AcmeSpec): Course {
    return runCourse({
      around: this.#around,
      certificate,
      acme,
      record: () => this.#recordOf(key, certificate) ?? freshRecord(certificate),
      save: (record) => this.#write(key, record),
      showChallenges: (challenges) => {
        this.#challenges.set(key, challenges);
        return this.#tell();
      },
      signal: this.#stop.signal,
    });
  }

  async #failed(key: string, certificate: Certificate, error: unknown): Promise<void> {
    const { clock, random = Math.random, paces, log } = this.#around;
    const record = this.#recordOf(key, certificate) ?? freshRecord(certificate);
    const { pace, reason, retryAfterMs, isOver } = classify(error, paces);
    const inMs = retryInMs(pace, record.failures, random(), retryAfterMs);
    const message = messageOf(error).slice(0, 2_000);
    const { url, key: leafKey, ...rest } = record;
    const next = {
      ...rest,
      ...(!isOver && url !== undefined && { url }),
      ...(!isOver && leafKey !== undefined && { key: leafKey }),
      failures: record.failures + 1,
      notBefore: clock.now() + inMs,
      reason,
      message,
    };
    log.warn({ certificate: key, reason, again: dateOf(next.notBefore) }, message);
    await this.#write(key, next).catch(() => {});
  }

  #pair({ metadata: { namespace, name } }: Certificate): Pair | undefined {
    return this.#around.book.kept(certificateHolder(namespace, name));
  }

  /** One for another spec says nothing of this one. */
  #recordOf(key: string, certificate: Certificate): OrderRecord | undefined {
    const record = this.#records.get(key);
    return record?.spec === specOf(certificate) ? record : undefined;
  }

  async #write(key: string, record: OrderRecord | undefined): Promise<void> {
    if (record) this.#records.set(key, record);
    else this.#records.delete(key);
    try {
      await this.#around.vault.write(orderEntry(key), record && JSON.stringify(record));
    } catch (error) {
      this.#around.log.error({ err: error, certificate: key }, 'an order is not written down');
      throw error;
    }
  }

  async #tell(): Promise<void> {
    const { book, reload } = this.#around;
    book.ordered = new Map(this.#ordered);
    const all = [...this.#challenges.values()];
    book.challenges = {
      txt: all.flatMap(({ txt }) => txt).sort(byText),
      http: all.flatMap(({ http }) => http).sort(byText),
    };
    await reload();
  }
}

const keyOf = ({ metadata: { namespace, name } }: Certificate) => `${namespace}/${name}`;
const specOf = ({ spec }: Certificate) => partDigest(spec);
const freshRecord = (certificate: Certificate): OrderRecord => ({
  spec: specOf(certificate),
  failures: 0,
  notBefore: 0,
});
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function byText(a: object, b: object): number {
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
  return first === second ? 0 : first < second ? -1 : 1;
}

/** The names of the spec, no more and no fewer, and a key of its type. */
function fits({ dnsNames, keyType }: Pair, { spec: { hostnames, acme } }: Certificate): boolean {
  const isSame = dnsNames.length === hostnames.length && hostnames.every((name) => covers(dnsNames, name));
  return isSame && keyType === acme?.keyType;
}

/** `isOver`: the order can't lead anywhere any more. */
function classify(error: unknown, paces: Paces) {
  if (error instanceof Obstacle)
    return { pace: paces.preparation, reason: error.reason, retryAfterMs: 0, isOver: false };
  if (!(error instanceof AcmeProblem))
    return { pace: paces.line, reason: 'ServerUnreachable', retryAfterMs: 0, isOver: false };
  const { status, type, retryAfterMs } = error;
  if (type === 'rateLimited' || status === 429)
    return { pace: paces.line, reason: 'RateLimited', retryAfterMs, isOver: false };
  if (status >= 500) return { pace: paces.line, reason: 'ServerFailed', retryAfterMs, isOver: false };
  return { pace: paces.refusal, reason: reasonOf(type), retryAfterMs, isOver: true };
}

/** `unauthorized` as conditions have it. */
const reasonOf = (type: string) =>
  /^[a-zA-Z]+$/.test(type) ? `${type[0]?.toUpperCase()}${type.slice(1)}` : 'ServerRefused';

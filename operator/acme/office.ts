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
import { messageOf } from '../../lib/message-of.ts';
import { parsedJson } from '../../lib/parsed-json.ts';
import type { CertificateBook } from '../certificates/book.ts';
import { type Challenges, certificateHolder, dateOf, type Ordered } from '../certificates/holdings.ts';
import type { Pair } from '../certificates/pair.ts';
import type { Vault } from '../certificates/vault.ts';
import { Copies, type WriteCopy } from './copies.ts';
import { Course } from './course.ts';
import type { Dns } from './dns.ts';
import { classify } from './failures.ts';
import { type OrderRecord, orderRecord } from './forms.ts';
import { fits, judgementOf } from './judgement.ts';
import { acmeTarget } from './places.ts';
import { type Paces, renewalTime, retryInMs, soonestRenewalMs } from './renewal.ts';
import { RenewalWindows } from './renewal-information.ts';

/** More would make a burst of whoever has ten thousand of them. */
const AT_ONCE = 8;
/** Somebody who can't wait: one that began before this time is renewed. */
export const RENEW_ANNOTATION = 'cdn.weir.dev/renew-before';

export interface AcmeSurroundings {
  config: () => WeirConfig | undefined;
  certificates: () => readonly Certificate[];
  domains: () => readonly CdnDomain[];
  /** An entry of a Secret that the Certificate names. */
  secretEntry: (certificate: Certificate, name: string, entry: string) => string | undefined;
  book: CertificateBook;
  vault: Vault;
  writeCopy: WriteCopy;
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

const orderEntry = (key: string) => `order/${key}`;

export class AcmeOffice {
  readonly #around: AcmeSurroundings;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, { work: Promise<void>; names: readonly string[] }>();
  readonly #records = new Map<string, OrderRecord>();
  readonly #ordered = new Map<string, Ordered>();
  /** When one was issued last, as far as this leader knows. */
  readonly #issuedAt = new Map<string, number>();
  readonly #windows: RenewalWindows;
  readonly #copies: Copies;
  readonly #challenges = new Map<string, Challenges>();
  #loaded: Promise<boolean> | undefined;

  constructor(around: AcmeSurroundings) {
    this.#around = around;
    this.#windows = new RenewalWindows(around.clock, around.log);
    this.#copies = new Copies(around.writeCopy, around.clock, around.log);
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

  #forget(wanted: ReadonlyMap<string, { certificate: Certificate }>): boolean {
    this.#windows.forget(wanted);
    this.#copies.forget([...wanted.values()].map(({ certificate }) => certificate));
    let changed = false;
    for (const key of this.#ordered.keys()) {
      if (wanted.has(key)) continue;
      this.#ordered.delete(key);
      changed = true;
    }
    for (const key of this.#issuedAt.keys()) if (!wanted.has(key)) this.#issuedAt.delete(key);
    for (const key of this.#records.keys()) if (!wanted.has(key)) void this.#write(key, undefined);
    return changed;
  }

  /** What people see of it; true where that is other than before. */
  #show(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): boolean {
    const pair = this.#pair(certificate);
    const copyFault = pair && this.#copies.keep(certificate, pair);
    const next: Ordered = {
      judgement: judgementOf(certificate, pair, this.#recordOf(key, certificate)),
      ...(pair && { renewalTime: this.#renewalTime(key, pair) }),
      ...(copyFault && { copyFault }),
      ...(acme.challenge === 'DNS01' && { acmeTarget: acmeTarget(certificate, config) }),
    };
    if (JSON.stringify(this.#ordered.get(key)) === JSON.stringify(next)) return false;
    this.#ordered.set(key, next);
    return true;
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
    const asked = renewalAsked(certificate);
    if (Math.max(pair.notBefore, record?.begun ?? 0) < asked && asked <= now) return true;
    this.#windows.refresh(key, pair, () => this.#course(key, certificate, acme).suggestedWindow(pair));
    const soonest = (this.#issuedAt.get(key) ?? 0) + soonestRenewalMs(pair);
    return now >= Math.max(this.#renewalTime(key, pair), soonest);
  }

  #renewalTime(key: string, pair: Pair): number {
    return renewalTime(pair, this.#windows.of(key, pair));
  }

  #begin(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): void {
    const work = this.#run(key, certificate, acme, config).finally(() => this.#running.delete(key));
    this.#running.set(key, { work, names: certificate.spec.hostnames });
  }

  async #run(key: string, certificate: Certificate, acme: AcmeSpec, config: WeirConfig): Promise<void> {
    const { log, book, clock } = this.#around;
    const course = this.#course(key, certificate, acme);
    const begun = clock.now();
    try {
      const value = await course.run(config);
      const pair = book.issued(
        certificateHolder(certificate.metadata.namespace, certificate.metadata.name),
        value,
      );
      this.#issuedAt.set(key, clock.now());
      log.info({ certificate: key, notAfter: dateOf(pair.notAfter) }, 'a certificate was issued');
      // In force first: a crash between the two orders nothing a second time.
      await this.#around.reload();
      await book.idle();
      // Let's Encrypt dates certificates back by an hour: one that came of the renewal would be renewed for as long.
      const isDatedBack = pair.notBefore < renewalAsked(certificate);
      await this.#write(key, isDatedBack ? { ...freshRecord(certificate), begun } : undefined);
    } catch (error) {
      if (!this.#stop.signal.aborted) await this.#failed(key, certificate, error);
    } finally {
      this.#challenges.delete(key);
      if (!this.#stop.signal.aborted) await this.#tell().catch(() => {});
    }
  }

  #course(key: string, certificate: Certificate, acme: AcmeSpec): Course {
    return new Course({
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
    const { url: _url, key: _key, ...withoutOrder } = record;
    const next = {
      ...(isOver ? withoutOrder : record),
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

/** Milliseconds since the epoch; no number where nobody asks. */
const renewalAsked = ({ metadata: { annotations } }: Certificate) =>
  Date.parse(annotations[RENEW_ANNOTATION] ?? '');

const keyOf = ({ metadata: { namespace, name } }: Certificate) => `${namespace}/${name}`;
const specOf = ({ spec }: Certificate) => partDigest(spec);
const freshRecord = (certificate: Certificate): OrderRecord => ({
  spec: specOf(certificate),
  failures: 0,
  notBefore: 0,
});

function byText(a: object, b: object): number {
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
  return first === second ? 0 : first < second ? -1 : 1;
}

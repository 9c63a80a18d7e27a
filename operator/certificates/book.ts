/** The leader's book of certificates: what is in force for whom, and that it is kept. Judges by holdings.ts. */
import type { CdnDomain, Certificate, Resource } from '../../contract/kinds/kinds.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { type Latest, latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import { type AcceptedResource, isKind } from '../admit/snapshot.ts';
import { type FindSecret, noSecrets } from '../source/secrets.ts';
import {
  type Challenges,
  type Holdings,
  type Kept,
  NO_CHALLENGES,
  NO_HOLDINGS,
  type Ordered,
  settle,
} from './holdings.ts';
import { type Pair, pairOfValue } from './pair.ts';
import { certificateEntry, keptIn, type Vault } from './vault.ts';

const WRITES_AT_ONCE = 8;
/** An end that nobody looked at is told this late. */
const LOOK_MS = 600_000;

export class CertificateBook {
  readonly #vault: Vault;
  readonly #log: Log;
  readonly #writer: Latest<void>;
  #kept: Kept;
  /** Digests by holder, as they lie in the vault. */
  readonly #written: Map<string, string>;
  #behind = false;
  #settledAt = 0;
  holdings: Holdings = NO_HOLDINGS;
  /** How orders fare, by `namespace/name` of the Certificate. */
  ordered: ReadonlyMap<string, Ordered> = new Map();
  challenges: Challenges = NO_CHALLENGES;

  static async open(vault: Vault, log: Log): Promise<CertificateBook> {
    return new CertificateBook(vault, keptIn(await vault.read(), log), log);
  }

  private constructor(vault: Vault, kept: Kept, log: Log) {
    this.#vault = vault;
    this.#kept = kept;
    this.#log = log;
    this.#written = new Map([...kept].map(([holder, { digest }]) => [holder, digest] as const));
    this.#writer = latest(() => this.#write());
  }

  settle(resources: Iterable<AcceptedResource>, find: FindSecret = noSecrets, now: number): void {
    this.#settledAt = now;
    const domains: { resource: CdnDomain; file: string }[] = [];
    const certificates: { resource: Certificate; file: string }[] = [];
    for (const { resource, file } of resources) {
      if (isTlsDomain(resource)) domains.push({ resource, file });
      else if (isKind(resource, 'Certificate')) certificates.push({ resource, file });
    }
    const { ordered } = this;
    this.holdings = settle(this.#kept, { domains, certificates, find, ordered }, now);
    const rows = [...this.holdings].flatMap(([holder, { inForce }]) =>
      inForce ? [[holder, inForce] as const] : [],
    );
    for (const [holder, pair] of rows) {
      const before = this.#kept.get(holder);
      const { digest, serialNumber } = pair;
      if (before?.digest !== digest)
        this.#log.info({ holder, digest, serialNumber }, 'a certificate is in force');
    }
    this.#kept = new Map(rows);
    this.#writer.offer();
  }

  /** One that was ordered: in force with the next settling. */
  issued(holder: string, value: string): Pair {
    const pair = pairOfValue(value);
    this.#kept = new Map([...this.#kept, [holder, pair]]);
    return pair;
  }

  kept(holder: string): Pair | undefined {
    return this.#kept.get(holder);
  }

  /** Resolves when all is tried to be written. */
  idle(): Promise<void> {
    return this.#writer.idle();
  }

  /** Judged too long ago. */
  isStale(now: number): boolean {
    return this.holdings.size > 0 && now - this.#settledAt >= LOOK_MS;
  }

  /** At each tick: what could not be written is tried again. */
  retry(): void {
    if (this.#behind) this.#writer.offer();
  }

  /** They are in force whether they can be written or not. */
  async #write(): Promise<void> {
    const kept = this.#kept;
    const changed = [...kept].filter(([holder, { digest }]) => this.#written.get(holder) !== digest);
    const gone = [...this.#written.keys()].filter((holder) => !kept.has(holder));
    try {
      await inParallel(changed, WRITES_AT_ONCE, async ([holder, { value, digest }]) => {
        await this.#vault.write(certificateEntry(holder), value);
        this.#written.set(holder, digest);
      });
      await inParallel(gone, WRITES_AT_ONCE, async (holder) => {
        await this.#vault.write(certificateEntry(holder), undefined);
        this.#written.delete(holder);
      });
      this.#behind = false;
    } catch (error) {
      if (!this.#behind)
        this.#log.error({ err: error }, 'certificates are not written down; trying again with each tick');
      this.#behind = true;
    }
  }
}

const isTlsDomain = (resource: Resource): resource is CdnDomain =>
  isKind(resource, 'CdnDomain') && resource.spec.tls !== undefined;

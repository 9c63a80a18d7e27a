/**
 * The course of one order, step by step; each can be the first after another leader went away in the middle of it:
 *
 *     account ─> order ─> challenges in the plans ─> everywhere? ─> validated ─> finalized ─> certificate, checked
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { type Challenges, certificateHolder, list, objectionTo } from '../certificates/holdings.ts';
import { type Pair, readPair } from '../certificates/pair.ts';
import { withAccount } from './account.ts';
import { type AcmeClient, AcmeProblem } from './client.ts';
import { Obstacle } from './failures.ts';
import type { OrderRecord } from './forms.ts';
import { unwantedNames } from './judgement.ts';
import { makeKey, makeRequest } from './keys.ts';
import type { AcmeSurroundings } from './office.ts';
import { prepare } from './preparation.ts';
import { renewalId, type Window } from './renewal-information.ts';
import { validate } from './validation.ts';
import { type Look, type Waiting, waitFor } from './waiting.ts';

interface CourseOptions {
  around: AcmeSurroundings;
  certificate: Certificate;
  acme: AcmeSpec;
  record: () => OrderRecord;
  /** Resolves when it is durable. */
  save: (record: OrderRecord) => Promise<void>;
  /** Resolves when they are in the newest plans. */
  showChallenges: (challenges: Challenges) => Promise<void>;
  signal: AbortSignal;
}

export class Course {
  readonly #options: CourseOptions;
  readonly #waiting: Waiting;
  readonly #hostnames: readonly string[];

  constructor(options: CourseOptions) {
    const { around, certificate, signal } = options;
    this.#options = options;
    this.#waiting = { clock: around.clock, signal };
    this.#hostnames = certificate.spec.hostnames;
  }

  /** Resolves with what edges are to get; throws an Obstacle, the server's AcmeProblem, or what the line came to. */
  run(config: WeirConfig): Promise<string> {
    return this.#withClient(async (client) => {
      await this.#prepared(client, config);
      return this.#followed(client, await this.#order(client), config);
    });
  }

  async suggestedWindow(pair: Pair): Promise<Window | undefined> {
    const id = await renewalId(pair);
    return id === undefined ? undefined : this.#withClient((client) => client.renewalInfo(id));
  }

  #withClient<T>(use: (client: AcmeClient) => Promise<T>): Promise<T> {
    const { acme, around } = this.#options;
    const { vault, clock } = around;
    return withAccount({ acme, vault, binding: () => this.#binding(), now: () => clock.now() }, use);
  }

  #binding(): { keyId: string; hmacKey: string } | undefined {
    const { acme, around, certificate } = this.#options;
    const { externalAccountBinding: given } = acme;
    if (!given) return undefined;
    const hmacKey = around.secretEntry(certificate, given.secretRef.name, 'key');
    if (hmacKey === undefined)
      throw new Obstacle(
        'BindingKeyMissing',
        `the Secret ${given.secretRef.name} with an entry \`key\` is not there`,
      );
    return { keyId: given.keyId, hmacKey: hmacKey.trim() };
  }

  async #prepared(client: AcmeClient, config: WeirConfig): Promise<void> {
    const { around, certificate, acme } = this.#options;
    const { caaIdentities: identities } = (await client.directory()).meta;
    const { dns } = around;
    await prepare({ certificate, acme, config, domains: around.domains(), identities, dns });
  }

  /** The URL of the order that an earlier leader began, or of a new one. */
  async #order(client: AcmeClient): Promise<string> {
    const { acme, record, save } = this.#options;
    const before = record().url;
    if (before !== undefined && (await this.#leadsSomewhere(client, before))) return before;
    // Made before: between the order and the record of it nothing takes its time.
    const key = await makeKey(acme.keyType);
    const url = await this.#begun(client);
    await save({ ...record(), url, key });
    return url;
  }

  async #leadsSomewhere(client: AcmeClient, url: string): Promise<boolean> {
    try {
      return (await client.order(url)).status !== 'invalid' && this.#options.record().key !== undefined;
    } catch (error) {
      if (error instanceof AcmeProblem && [403, 404].includes(error.status)) return false;
      throw error;
    }
  }

  /** A renewal is none of the orders that servers count (RFC 9773 5), where this server knows what it is for. */
  async #begun(client: AcmeClient): Promise<string> {
    const { around, certificate } = this.#options;
    const { namespace, name } = certificate.metadata;
    const before = around.book.kept(certificateHolder(namespace, name));
    const replaces = before && (await client.directory()).renewalInfo && (await renewalId(before));
    if (replaces === undefined) return client.newOrder(this.#hostnames);
    return client.newOrder(this.#hostnames, replaces).catch((error: unknown) => {
      // Replaced already, or of another server or account.
      if (!(error instanceof AcmeProblem) || error.status >= 500 || error.status === 429) throw error;
      return client.newOrder(this.#hostnames);
    });
  }

  async #followed(client: AcmeClient, url: string, config: WeirConfig): Promise<string> {
    let isFinalized = false;
    const look = async (): Promise<Look<string>> => {
      const { status, authorizations, finalize, certificate, error, retryAfterMs } = await client.order(url);
      if (status === 'invalid') throw AcmeProblem.told(error, 'orderInvalid', error?.detail ?? '');
      if (status === 'valid' && certificate !== undefined)
        return { found: this.#checkedValue(await client.certificate(certificate)) };
      if (status === 'pending') await this.#validated(client, authorizations, config);
      if (status === 'ready' && !isFinalized) {
        isFinalized = true;
        await client.finalize(finalize, await makeRequest(this.#key, this.#hostnames));
      }
      return { missing: status, retryAfterMs };
    };
    return waitFor(this.#waiting, look, () => AcmeProblem.tooLate());
  }

  #validated(client: AcmeClient, authorizations: readonly string[], config: WeirConfig): Promise<void> {
    const { around, certificate, acme, showChallenges: show } = this.#options;
    const waiting = this.#waiting;
    return validate(client, authorizations, { around, certificate, acme, config, show, waiting });
  }

  /** A server may give anything: it has to be for our key and names, and a chain. With more names it would never fit. */
  #checkedValue(chain: string): string {
    const pair = readPair(chain, this.#key);
    if ('reason' in pair) throw ofNoUse(pair.message);
    const now = this.#options.around.clock.now();
    const objection = objectionTo(pair, undefined, { hostnames: this.#hostnames, served: [] }, now);
    if (objection) throw ofNoUse(objection.message);
    const unwanted = unwantedNames(pair, this.#hostnames);
    if (unwanted.length > 0) throw ofNoUse(`it is also for ${list(unwanted)}, which nobody asked for`);
    return pair.value;
  }

  get #key(): string {
    return this.#options.record().key ?? '';
  }
}

const ofNoUse = (why: string) =>
  new AcmeProblem(400, 'badCertificate', `what the server issued is of no use: ${why}`);

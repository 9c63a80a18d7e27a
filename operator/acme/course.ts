/**
 * The course of one order, step by step; each can be the first after another leader went away in the middle of it:
 *
 *     account ─> order ─> challenges in the plans ─> everywhere? ─> validated ─> finalized ─> certificate, checked
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { type Challenges, certificateHolder, objectionTo } from '../certificates/holdings.ts';
import { type Pair, readPair } from '../certificates/pair.ts';
import { withAccount } from './account.ts';
import { type AcmeClient, AcmeProblem } from './client.ts';
import { Obstacle } from './failures.ts';
import type { OrderRecord } from './forms.ts';
import { makeKey, makeRequest } from './keys.ts';
import type { AcmeSurroundings } from './office.ts';
import { acmeTarget, challengeName, isOurs, keyAuthorization, txtValue } from './places.ts';
import { missingAt, prepare } from './preparation.ts';
import { renewalId, type Window } from './renewal-information.ts';

const POLL_MS = 1_000;
/** A server that validates takes seconds; agents and name servers that do not come up in this time do not at all. */
const PATIENCE_MS = 300_000;

export interface Course {
  challenges: Challenges;
  /** Resolves with what edges are to get. */
  run(config: WeirConfig): Promise<string>;
  suggestedWindow(pair: Pair): Promise<Window | undefined>;
}

interface CourseOptions {
  around: AcmeSurroundings;
  certificate: Certificate;
  acme: AcmeSpec;
  record: () => OrderRecord;
  /** Resolves when it is durable. */
  save: (record: OrderRecord) => Promise<void>;
  showChallenges: (challenges: Challenges) => Promise<void>;
  signal: AbortSignal;
}

interface Wanted {
  hostname: string;
  url: string;
  authorization: string;
  isAsked: boolean;
  token: string;
  keyAuthorization: string;
}

export function runCourse(options: CourseOptions): Course {
  const { around, certificate, acme, record, save, showChallenges, signal } = options;
  const { hostnames } = certificate.spec;
  const { namespace, name } = certificate.metadata;
  const { clock } = around;
  const now = () => clock.now();

  const withClient = <T>(use: (client: AcmeClient) => Promise<T>) =>
    withAccount({ acme, vault: around.vault, binding, now }, use);

  function binding() {
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

  async function run(config: WeirConfig): Promise<string> {
    return withClient(async (client) => {
      const { caaIdentities: identities } = (await client.directory()).meta;
      const { dns } = around;
      await prepare({ certificate, acme, config, domains: around.domains(), identities, dns });
      let { url } = record();
      if (url !== undefined) url = await stillThere(client, url);
      if (url === undefined) {
        // Made before: between the order and the record of it nothing takes its time.
        const key = await makeKey(acme.keyType);
        url = await begun(client);
        await save({ ...record(), url, key });
      }
      return follow(client, url, config);
    });
  }

  /** A renewal is none of the orders that servers count (RFC 9773 5), where this server knows what it is for. */
  async function begun(client: AcmeClient): Promise<string> {
    const before = around.book.kept(certificateHolder(namespace, name));
    const replaces = before && (await client.directory()).renewalInfo && (await renewalId(before));
    if (replaces === undefined) return client.newOrder(hostnames);
    return client.newOrder(hostnames, replaces).catch((error: unknown) => {
      // Replaced already, or of another server or account.
      if (!(error instanceof AcmeProblem) || error.status >= 500 || error.status === 429) throw error;
      return client.newOrder(hostnames);
    });
  }

  /** An order of an earlier leader; one that came to nothing is begun anew. */
  async function stillThere(client: AcmeClient, url: string): Promise<string | undefined> {
    try {
      return (await client.order(url)).status === 'invalid' || record().key === undefined ? undefined : url;
    } catch (error) {
      if (error instanceof AcmeProblem && [403, 404].includes(error.status)) return undefined;
      throw error;
    }
  }

  async function follow(client: AcmeClient, url: string, config: WeirConfig): Promise<string> {
    const until = now() + PATIENCE_MS;
    let finalized = false;
    for (;;) {
      const order = await client.order(url);
      if (order.status === 'pending') await validate(client, order.authorizations, config);
      else if (order.status === 'invalid')
        throw new AcmeProblem(
          400,
          order.error?.type.replace(/^.*:/, '') ?? 'orderInvalid',
          order.error?.detail ?? '',
        );
      else if (order.status === 'valid' && order.certificate !== undefined) {
        return checkedValue(await client.certificate(order.certificate));
      } else if (order.status === 'ready' && !finalized) {
        finalized = true;
        await client.finalize(order.finalize, await makeRequest(record().key ?? '', hostnames));
      }
      if (now() > until) throw new AcmeProblem(504, '', '', 0);
      await pause(order.retryAfterMs ?? POLL_MS);
    }
  }

  async function validate(client: AcmeClient, urls: readonly string[], config: WeirConfig): Promise<void> {
    const wanted: Wanted[] = [];
    for (const url of urls) {
      const { status, identifier, wildcard, challenges } = await client.authorization(url);
      if (status === 'valid') continue;
      const hostname = wildcard ? `*.${identifier.value}` : identifier.value;
      const type = acme.challenge === 'DNS01' ? 'dns-01' : 'http-01';
      const found = challenges.find((row) => row.type === type);
      if (!found) throw new AcmeProblem(400, 'noChallenge', `the server offers no ${type} for ${hostname}`);
      const authorization = keyAuthorization(found.token, client.thumbprintKey());
      const isAsked = status !== 'pending' || found.status !== 'pending';
      wanted.push({
        hostname,
        url: found.url,
        authorization: url,
        isAsked,
        token: found.token,
        keyAuthorization: authorization,
      });
    }
    const challenges = challengesOf(wanted, config);
    course.challenges = challenges;
    await showChallenges(challenges);
    await everywhere(challenges, config);
    for (const { url, isAsked } of wanted) if (!isAsked) await client.respond(url);
    for (const { authorization, hostname } of wanted) await validated(client, authorization, hostname);
  }

  function challengesOf(wanted: readonly Wanted[], config: WeirConfig): Challenges {
    if (acme.challenge === 'HTTP01')
      return {
        txt: [],
        http: wanted.map(({ hostname, token, keyAuthorization: text }) => ({
          hostname,
          token,
          keyAuthorization: text,
        })),
      };
    const txt = wanted.map(({ hostname, keyAuthorization: text }) => ({
      name: isOurs(hostname, config) ? challengeName(hostname) : acmeTarget(certificate, config),
      value: txtValue(text),
    }));
    return { txt, http: [] };
  }

  /** Every edge has acked the plan with the tokens, or every published name server was asked and gives the values. */
  async function everywhere({ txt }: Challenges, config: WeirConfig): Promise<void> {
    const role = acme.challenge === 'HTTP01' ? 'edge' : 'dns-server';
    const until = now() + PATIENCE_MS;
    for (;;) {
      let missing = around.isEverywhere(role) ? undefined : `not every connected ${role} has the newest plan`;
      missing ??= await missingAt(txt, config, around.dns);
      if (missing === undefined) return;
      if (now() > until) throw new Obstacle('NotEverywhere', missing);
      await pause(POLL_MS);
    }
  }

  async function validated(client: AcmeClient, url: string, hostname: string): Promise<void> {
    const until = now() + PATIENCE_MS;
    for (;;) {
      const { status, challenges, retryAfterMs } = await client.authorization(url);
      if (status === 'valid') return;
      if (status !== 'pending') {
        const error = challenges.find((row) => row.error)?.error;
        throw new AcmeProblem(
          400,
          error?.type.replace(/^.*:/, '') ?? 'unauthorized',
          `${hostname}: ${error?.detail ?? status}`,
        );
      }
      if (now() > until) throw new AcmeProblem(504, '', '', 0);
      await pause(retryAfterMs ?? POLL_MS);
    }
  }

  /** A server may give anything: it has to be for our key and names, and a chain. */
  function checkedValue(chain: string): string {
    const pair = readPair(chain, record().key ?? '');
    if ('reason' in pair)
      throw new AcmeProblem(400, 'badCertificate', `what the server issued is of no use: ${pair.message}`);
    const objection = objectionTo(pair, undefined, { hostnames, served: [] }, now());
    if (objection)
      throw new AcmeProblem(
        400,
        'badCertificate',
        `what the server issued is of no use: ${objection.message}`,
      );
    return pair.value;
  }

  async function suggestedWindow(pair: Pair): Promise<Window | undefined> {
    const id = await renewalId(pair);
    return id === undefined ? undefined : withClient((client) => client.renewalInfo(id));
  }

  const pause = (ms: number) =>
    new Promise<void>((resolve, reject) => {
      signal.throwIfAborted();
      const cancel = clock.after(Math.min(ms, PATIENCE_MS), () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(new Error('the operator stops'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });

  const course: Course = { challenges: { txt: [], http: [] }, run, suggestedWindow };
  return course;
}

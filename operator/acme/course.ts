/**
 * The course of one order, step by step; each can be the first after another leader went away in the middle of it:
 *
 *     account ─> order ─> challenges in the plans ─> everywhere? ─> validated ─> finalized ─> certificate, checked
 */
import { X509Certificate } from 'node:crypto';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Challenges } from '../certificates/holdings.ts';
import { objectionTo } from '../certificates/holdings.ts';
import { type Pair, readPair } from '../certificates/pair.ts';
import { type AccountKey, AcmeClient, AcmeProblem } from './client.ts';
import { caaObjection } from './dns.ts';
import { accountRecord, type OrderRecord } from './forms.ts';
import { makeKey, makeRequest } from './keys.ts';
import type { AcmeSurroundings, Window } from './office.ts';
import {
  acmeTarget,
  challengeName,
  isOurs,
  isServedBy,
  keyAuthorization,
  mayHaveOurs,
  txtValue,
} from './places.ts';

const POLL_MS = 1_000;
/** A server that validates takes seconds; agents and name servers that do not come up in this time do not at all. */
const PATIENCE_MS = 300_000;

/** Somebody has to mend something before the server is asked. */
export class Obstacle extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

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
  const { clock } = around;
  const now = () => clock.now();

  async function withClient<T>(use: (client: AcmeClient) => Promise<T>): Promise<T> {
    const entry = `account/${canonicalDigest([acme.server, acme.email, acme.externalAccountBinding?.keyId]).slice(0, 32)}`;
    const key = await accountKey(entry);
    const client = new AcmeClient({ server: acme.server, caBundle: acme.caBundle, key, now });
    try {
      if (key.url === undefined) {
        await client.account(acme.email, binding());
        await around.vault.write(entry, JSON.stringify(key));
      }
      return await use(client);
    } finally {
      await client.close();
    }
  }

  /** Durable before the server hears of it: an account whose key is lost is lost. */
  async function accountKey(entry: string): Promise<AccountKey> {
    const known = (await around.vault.read()).get(entry);
    if (known !== undefined) {
      const { pem, url } = accountRecord.parse(JSON.parse(known));
      return { pem, url };
    }
    const key = { pem: await makeKey('ECDSA'), url: undefined };
    await around.vault.write(entry, JSON.stringify(key));
    return key;
  }

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
      await prepare(client, config);
      let { url } = record();
      if (url !== undefined) url = await stillThere(client, url);
      if (url === undefined) {
        const fresh = await client.newOrder(hostnames);
        url = fresh.url;
        await save({ ...record(), url, key: await makeKey(acme.keyType) });
      }
      return follow(client, url, config);
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

  /** What the server would find wrong is found before it is asked, and said with what to put where. */
  async function prepare(client: AcmeClient, config: WeirConfig): Promise<void> {
    const { namespace } = certificate.metadata;
    const { meta } = await client.directory();
    for (const hostname of hostnames) {
      if (isOurs(hostname, config) && !mayHaveOurs(hostname, namespace, config))
        throw new Obstacle(
          'NotAllowed',
          `${hostname} lies in a zone of Weir; weir.yaml has to allow it to ${namespace}`,
        );
      if (acme.challenge === 'HTTP01' && !isServedBy(hostname, namespace, around.domains()))
        throw new Obstacle(
          'NoDomain',
          `no accepted CdnDomain of namespace ${namespace} has the hostname ${hostname}`,
        );
      if (acme.challenge === 'HTTP01') await checkAddress(hostname);
      const objection = await asked(() => caaObjection(hostname, meta.caaIdentities, around.dns));
      if (objection !== undefined) throw new Obstacle('CaaForbids', objection);
      if (acme.challenge === 'DNS01' && !isOurs(hostname, config)) await checkCname(hostname, config);
    }
  }

  /** A failed validation counts against us; one that can't succeed yet is not asked for. */
  async function checkAddress(hostname: string): Promise<void> {
    const found = await asked(() => around.dns.addresses(hostname));
    if (found.length > 0) return;
    throw new Obstacle(
      'NoAddress',
      `${hostname} has no address yet: make it a CNAME of its CdnDomain's status.cname`,
    );
  }

  async function checkCname(hostname: string, config: WeirConfig): Promise<void> {
    const [name, target] = [challengeName(hostname), acmeTarget(certificate, config)];
    const found = await asked(() => around.dns.cname(name));
    if (found.some((text) => text.replace(/\.$/, '') === target)) return;
    const now = found.length === 0 ? 'there is none' : `it is ${found.join(', ')}`;
    throw new Obstacle('CnameMissing', `make ${name} a CNAME of ${target}; now ${now}`);
  }

  async function asked<T>(question: () => Promise<T>): Promise<T> {
    return question().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Obstacle('DnsFailed', `the resolver gives no answer: ${reason}`);
    });
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
      missing ??= await missingAt(txt, config);
      if (missing === undefined) return;
      if (now() > until) throw new Obstacle('NotEverywhere', missing);
      await pause(POLL_MS);
    }
  }

  async function missingAt(txt: Challenges['txt'], config: WeirConfig): Promise<string | undefined> {
    for (const { name, value } of txt) {
      const zone = config.zones
        .filter((row) => name.endsWith(`.${row.name}`))
        .sort((a, b) => b.name.length - a.name.length)[0];
      for (const server of zone?.nameServers ?? []) {
        const addresses =
          server.addresses.length > 0
            ? server.addresses
            : await around.dns.addresses(server.name).catch(() => []);
        if (addresses.length === 0) return `${server.name} has no address`;
        for (const address of addresses) {
          const found = await around.dns.txt(name, address).catch(() => undefined);
          if (!found) return `the name server ${server.name} (${address}) does not answer`;
          if (!found.includes(value))
            return `the name server ${server.name} (${address}) does not have ${name} yet`;
        }
      }
    }
    return undefined;
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

/** RFC 9773 4.1: the issuer's key identifier and the serial number. */
async function renewalId(pair: Pair): Promise<string | undefined> {
  const { chain } = JSON.parse(pair.value) as { chain: string };
  const { AuthorityKeyIdentifierExtension, X509Certificate: Parsed } = await import('../../lib/x509.ts');
  const { keyId } =
    new Parsed(new X509Certificate(chain).raw).getExtension(AuthorityKeyIdentifierExtension) ?? {};
  if (keyId === undefined) return undefined;
  const hex = pair.serialNumber.length % 2 === 0 ? pair.serialNumber : `0${pair.serialNumber}`;
  // As DER has it: a first bit that is set would make it negative.
  const serial = Number.parseInt(hex.slice(0, 2), 16) >= 0x80 ? `00${hex}` : hex;
  return [keyId, serial].map((text) => Buffer.from(text, 'hex').toString('base64url')).join('.');
}

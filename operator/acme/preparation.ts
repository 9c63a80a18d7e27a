/** What the server would find wrong is found before it is asked, and said with what to put where. Asks the DNS alone. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { CdnDomain, Certificate } from '../../contract/kinds/kinds.ts';
import { messageOf } from '../../lib/message-of.ts';
import { caaObjection, type Dns } from './dns.ts';
import { Obstacle } from './failures.ts';
import { acmeTarget, challengeName, isOurs, isServedBy, mayHaveOurs } from './places.ts';

/** Resolvers follow no more, and one that goes in a circle ends. */
const MOST_CNAMES = 8;

export interface Preparation {
  certificate: Certificate;
  acme: AcmeSpec;
  config: WeirConfig;
  domains: readonly CdnDomain[];
  /** What the server calls itself in CAA records. */
  identities: readonly string[];
  dns: Dns;
}

/** Throws the first obstacle. */
export async function prepare({ certificate, acme, config, domains, identities, dns }: Preparation) {
  const { namespace } = certificate.metadata;
  for (const hostname of certificate.spec.hostnames) {
    if (isOurs(hostname, config) && !mayHaveOurs(hostname, namespace, config))
      throw new Obstacle(
        'NotAllowed',
        `${hostname} lies in a zone of Weir; weir.yaml has to allow it to ${namespace}`,
      );
    if (acme.challenge === 'HTTP01' && !isServedBy(hostname, namespace, domains))
      throw new Obstacle(
        'NoDomain',
        `no accepted CdnDomain of namespace ${namespace} has the hostname ${hostname}`,
      );
    if (acme.challenge === 'HTTP01') await checkAddress(hostname, dns);
    const objection = await asked(() => caaObjection(hostname, identities, dns));
    if (objection !== undefined) throw new Obstacle('CaaForbids', objection);
    if (acme.challenge === 'DNS01' && !isOurs(hostname, config))
      await checkCname(challengeName(hostname), acmeTarget(certificate, config), dns);
  }
}

/** A failed validation counts against us; one that can't succeed yet is not asked for. */
async function checkAddress(hostname: string, dns: Dns): Promise<void> {
  const found = await asked(() => dns.addresses(hostname));
  if (found.length > 0) return;
  throw new Obstacle(
    'NoAddress',
    `${hostname} has no address yet: make it a CNAME of its CdnDomain's status.cname`,
  );
}

/** A server follows what its resolver follows (RFC 8555 8.4): many hosts' names point at one, and that one at us. */
async function checkCname(name: string, target: string, dns: Dns): Promise<void> {
  const way: string[] = [];
  while (way.length < MOST_CNAMES) {
    const [next] = await asked(() => dns.cname(way.at(-1) ?? name));
    if (next === undefined) break;
    way.push(next.replace(/\.$/, ''));
    if (way.at(-1) === target) return;
  }
  const now = way.length === 0 ? 'there is none' : `it is ${way.join(', then ')}`;
  throw new Obstacle('CnameMissing', `make ${name} a CNAME of ${target}; now ${now}`);
}

async function asked<T>(question: () => Promise<T>): Promise<T> {
  return question().catch((error: unknown) => {
    throw new Obstacle('DnsFailed', `the resolver gives no answer: ${messageOf(error)}`);
  });
}

/** What some published name server does not say yet. */
export async function missingAt(
  txt: readonly { name: string; value: string }[],
  { zones }: WeirConfig,
  dns: Dns,
): Promise<string | undefined> {
  for (const { name, value } of txt) {
    const [zone] = zones
      .filter((row) => name.endsWith(`.${row.name}`))
      .sort((a, b) => b.name.length - a.name.length);
    for (const server of zone?.nameServers ?? []) {
      const addresses =
        server.addresses.length > 0 ? server.addresses : await dns.addresses(server.name).catch(() => []);
      if (addresses.length === 0) return `${server.name} has no address`;
      for (const address of addresses) {
        const found = await dns.txt(name, address).catch(() => undefined);
        if (!found) return `the name server ${server.name} (${address}) does not answer`;
        if (!found.includes(value))
          return `the name server ${server.name} (${address}) does not have ${name} yet`;
      }
    }
  }
  return undefined;
}

/** Where the answer to a challenge is put: a name in a zone of ours, or the edges. Pure. */
import { createHash } from 'node:crypto';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { CdnDomain, Certificate } from '../../contract/kinds/kinds.ts';
import { hostnamesOf } from '../admit/hostnames.ts';

/** A label that no host has; the names below it are those of Certificates. */
const LABEL = '_acme';

/** The name of a Certificate in the first zone, at which a customer's `_acme-challenge` names point. */
export function acmeTarget({ metadata: { namespace, name } }: Certificate, config: WeirConfig): string {
  return `${name}.${namespace}.${LABEL}.${config.zones[0]?.name ?? ''}`;
}

/** RFC 8555 8.4: a wildcard is validated at the name below which it lies. */
export const challengeName = (hostname: string) => `_acme-challenge.${hostname.replace(/^\*\./, '')}`;

/** Whether the hostname lies in a zone that Weir answers for itself, so that nobody has to put a CNAME. */
export function isOurs(hostname: string, config: WeirConfig): boolean {
  return config.zones.some(({ name }) => hostname.endsWith(`.${name}`) || hostname === name);
}

/**
 * Names of our own zones belong to whoever runs Weir; a tenant gets certificates for those below its namespace, and for
 * those that weir.yaml allows it.
 */
export function mayHaveOurs(hostname: string, namespace: string, config: WeirConfig): boolean {
  return (
    config.hostnames !== undefined ||
    config.zones.some(({ name }) => hostname.endsWith(`.${namespace}.${name}`))
  );
}

/** By HTTP01 anybody could have a certificate for whatever points at the edges: only for domains of the same tenant. */
export function isServedBy(hostname: string, namespace: string, domains: readonly CdnDomain[]): boolean {
  return domains.some(
    (domain) => domain.metadata.namespace === namespace && hostnamesOf(domain).includes(hostname),
  );
}

/** RFC 8555 8.1 and 8.4. */
export function keyAuthorization(token: string, jwk: object): string {
  return `${token}.${createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')}`;
}

export const txtValue = (authorization: string) =>
  createHash('sha256').update(authorization).digest('base64url');

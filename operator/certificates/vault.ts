/**
 * What is kept of certificates, each entry on its own: those in force, and of ACME the accounts and orders. The leader
 * writes it; every replica reads it, and sends certificates to the edges that it serves. It is never in Redis.
 *
 *     leader ──write──> <state>/vault/, or Secrets in the operator's namespace ──follow──> each replica ──stream──> edges
 *
 * That the certificates in force are kept here, and not only where their owners have them, is what lets the last good
 * one stay: for an edge that comes new, and after the operator began anew. See docs/decisions/0047.
 */
import { createHash } from 'node:crypto';
import { type AgentSecret, secretDigest } from '../../contract/stream/agent-secret.ts';
import { certificateSecretName } from '../../contract/stream/certificate-secret.ts';
import type { Log } from '../../lib/log.ts';
import type { Kept } from './holdings.ts';
import { type Pair, pairOfValue } from './pair.ts';

/** Values by name: `certificate/Certificate/demo/video`. */
export type VaultValues = ReadonlyMap<string, string>;

export interface Vault {
  /** As it is now. Throws where it can't be read: that there is nothing is another thing. */
  read(): Promise<VaultValues>;
  /** Resolves when it is durable; in force here from the call on. Nothing as a value removes it. */
  write(name: string, value: string | undefined): Promise<void>;
  /** Hands all of it over at first and whenever it is other. Ends by what it returns. */
  follow(onValues: (values: VaultValues) => void): () => Promise<void>;
}

const CERTIFICATE = 'certificate/';

export const certificateEntry = (holder: string) => `${CERTIFICATE}${holder}`;

/** What becomes of a name in names of files and of objects. */
export const entryId = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 32);

/** The certificates in force, by holder. One that can't be read any more is none. */
export function keptIn(values: VaultValues, log: Log): Kept {
  const kept = new Map<string, Pair>();
  for (const [name, value] of values) {
    if (!name.startsWith(CERTIFICATE)) continue;
    const holder = name.slice(CERTIFICATE.length);
    try {
      kept.set(holder, pairOfValue(value));
    } catch {
      // Whatever it says may quote the key.
      log.error(
        { holder },
        'a certificate that was kept does not read; it is taken anew from where it comes',
      );
    }
  }
  return kept;
}

/** The certificates as edges get them, by the names that plans have. Values that stay are the very same. */
export function certificateSecrets(
  values: VaultValues,
  before: ReadonlyMap<string, AgentSecret>,
): ReadonlyMap<string, AgentSecret> {
  const rows = [...values].flatMap(([entry, value]) => {
    if (!entry.startsWith(CERTIFICATE)) return [];
    const name = certificateSecretName(entry.slice(CERTIFICATE.length));
    const known = before.get(name);
    return [[name, known?.value === value ? known : { name, value, digest: secretDigest(value) }] as const];
  });
  return new Map(rows);
}

/**
 * The secrets of the installation that agents need: the keys of its signed zones and the cookies' secret. The leader
 * makes and changes them; every replica reads them where they lie, and sends them to the agents that it serves.
 *
 *     leader ──write──> <state>/secrets/, or a Secret ──follow──> each replica ──stream──> dns-servers
 */
import { COOKIE_SECRET_FILE, ZONE_KEYS_SUFFIX } from '../../contract/state-folder.ts';
import { type AgentSecret, secretDigest } from '../../contract/stream/agent-secret.ts';
import type { Role } from '../../contract/stream/messages.ts';

/** Values by name; names are those of files, `cdn.example.net.keys.json`. */
export type SecretValues = ReadonlyMap<string, string>;

export interface AgentSecrets {
  /** As they are now. Throws where they can't be read: that there are none is another thing. */
  read(): Promise<SecretValues>;
  /**
   * Adds one, or replaces the value that was read, durably; the others stay. Throws OtherValue where another stands
   * there: a key that somebody else made must not be lost for one of ours.
   */
  write(name: string, value: string, before: string | undefined): Promise<void>;
  /** Zones whose keys somebody asked to replace. */
  rolloversAsked(): Promise<string[]>;
  /** It has begun: that it was asked for is forgotten. */
  rolloverBegun(zone: string): Promise<void>;
  /** Hands them over at first and whenever they are others; what can't be read stays as it was. Ends by what it returns. */
  follow(onValues: (values: SecretValues) => void): () => Promise<void>;
}

export class OtherValue extends Error {
  constructor(name: string) {
    super(`the secret ${name} is not the one that was read`);
  }
}

const NEEDED: Record<Role, (name: string) => boolean> = {
  'dns-server': (name) => name === COOKIE_SECRET_FILE || name.endsWith(ZONE_KEYS_SUFFIX),
  edge: () => false,
};

/** Those that agents of a role need, and no others. Pure. */
export function secretsFor(role: Role, values: SecretValues): AgentSecret[] {
  return [...values]
    .filter(([name]) => NEEDED[role](name))
    .map(([name, value]) => ({ name, digest: secretDigest(value), value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The zones' keys and the cookies' secret among the installation's secrets: made once, never printed. */
import { randomBytes } from 'node:crypto';
import { type ZoneKeys, zoneKeys } from '../../contract/dns/zone-keys.ts';
import { COOKIE_SECRET_FILE, ZONE_KEYS_SUFFIX } from '../../contract/state-folder.ts';
import type { AgentSecrets } from '../secrets/agent-secrets.ts';

const COOKIE_SECRET_BYTES = 16;

export interface KeyStore {
  /** Nothing when the zone never had a key; throws for what is none, so that a key is not replaced by mistake. */
  read(zone: string): Promise<ZoneKeys | undefined>;
  write(keys: ZoneKeys): Promise<void>;
  /** Whether somebody asked for a rollover of the zone. */
  isAskedFor(zone: string): Promise<boolean>;
  askedForNoMore(zone: string): Promise<void>;
  /** All dns-servers of an installation share it, so that a client's cookie is good at each of them. Made once. */
  makeCookieSecret(): Promise<void>;
}

export function zoneKeyStore(secrets: AgentSecrets): KeyStore {
  /** As they were read: what is written takes the place of just that. */
  const texts = new Map<string, string | undefined>();
  return {
    async read(zone) {
      const text = (await secrets.read()).get(nameOf(zone));
      texts.set(zone, text);
      return text === undefined ? undefined : zoneKeys.parse(JSON.parse(text));
    },
    write: (keys) =>
      secrets.write(nameOf(keys.zone), `${JSON.stringify(keys, null, 2)}\n`, texts.get(keys.zone)),
    isAskedFor: async (zone) => (await secrets.rolloversAsked()).includes(zone),
    askedForNoMore: (zone) => secrets.rolloverBegun(zone),
    async makeCookieSecret() {
      if ((await secrets.read()).has(COOKIE_SECRET_FILE)) return;
      const value = randomBytes(COOKIE_SECRET_BYTES).toString('hex');
      await secrets.write(COOKIE_SECRET_FILE, `${value}\n`, undefined);
    },
  };
}

const nameOf = (zone: string) => `${zone}${ZONE_KEYS_SUFFIX}`;

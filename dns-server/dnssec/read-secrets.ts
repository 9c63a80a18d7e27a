/** The secrets that the operator sent, as the dns-server uses them: zones' keys and the cookies' secret. */
import { type ZoneKeys, zoneKeys } from '../../contract/dns/zone-keys.ts';
import { COOKIE_SECRET_FILE, ZONE_KEYS_SUFFIX } from '../../contract/state-folder.ts';

export interface Secrets {
  zones: ZoneKeys[];
  /** Shared by all dns-servers, so that a client's cookie is good at each of them. */
  cookie: Buffer | undefined;
}

/** Throws what is wrong with them, never with a value: half of them would be worse than those held. */
export function readSecrets(values: ReadonlyMap<string, string>): Secrets {
  const zones = [...values]
    .filter(([name]) => name.endsWith(ZONE_KEYS_SUFFIX))
    .map(([name, text]) => readZoneKeys(name, text));
  const cookie = values.get(COOKIE_SECRET_FILE)?.trim();
  if (cookie !== undefined && !/^[0-9a-f]{32}$/.test(cookie)) {
    throw new Error(`${COOKIE_SECRET_FILE}: 16 bytes in hex`);
  }
  return { zones, cookie: cookie === undefined ? undefined : Buffer.from(cookie, 'hex') };
}

function readZoneKeys(name: string, text: string): ZoneKeys {
  const parsed = zoneKeys.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
  throw new Error(`${name}: ${faults} is no key of a zone`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Its message would quote the text.
    return undefined;
  }
}

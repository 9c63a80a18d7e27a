/** The zones' keys and the cookies' secret in the state folder: made once, mode 0600, never printed. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type ZoneKeys, zoneKeys } from '../../contract/dns/zone-keys.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import { readFileIfThere, removeFile, writeFileAtomic } from '../../lib/atomic-file.ts';

const SECRET_BYTES = 16;

export interface KeyStore {
  /** Nothing when the zone never had a key; throws for a file that is none, so that a key is not replaced by mistake. */
  read(zone: string): Promise<ZoneKeys | undefined>;
  write(keys: ZoneKeys): Promise<void>;
  /** Whether somebody asked for a rollover of the zone. */
  isAskedFor(zone: string): Promise<boolean>;
  askedForNoMore(zone: string): Promise<void>;
}

export function keyFiles(state: StateFolder): KeyStore {
  return {
    async read(zone) {
      const text = await readFileIfThere(state.zoneKeys(zone));
      return text === undefined ? undefined : zoneKeys.parse(JSON.parse(text));
    },
    write: (keys) => writeFileAtomic(state.zoneKeys(keys.zone), `${JSON.stringify(keys, null, 2)}\n`, 0o600),
    isAskedFor: async (zone) => (await readFileIfThere(state.rollover(zone))) !== undefined,
    askedForNoMore: (zone) => removeFile(state.rollover(zone)),
  };
}

/** All dns-servers of an installation share it, so that a client's cookie is good at each of them. */
export async function makeCookieSecret(state: StateFolder): Promise<void> {
  await mkdir(state.secrets, { recursive: true, mode: 0o700 });
  if ((await readFileIfThere(state.cookieSecret)) !== undefined) return;
  await writeFileAtomic(state.cookieSecret, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, 0o600);
}

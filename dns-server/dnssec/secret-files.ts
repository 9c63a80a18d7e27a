/**
 * Reads the folder of secrets again and again: zones' keys and the cookies' secret. In a cluster it is a mounted Secret,
 * whose files change in place. What can not be read is as it was, with one line in the log.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ZoneKeys, zoneKeys } from '../../contract/dns/zone-keys.ts';
import { COOKIE_SECRET_FILE, ZONE_KEYS_SUFFIX } from '../../contract/state-folder.ts';
import { isMissing, readFileIfThere } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';

export interface Secrets {
  zones: ZoneKeys[];
  /** Shared by all dns-servers, so that a client's cookie is good at each of them. */
  cookie: Buffer | undefined;
}

interface SecretFilesOptions {
  folder: string;
  clock: Clock;
  log: Log;
  onSecrets: (secrets: Secrets) => void;
}

const POLL_MS = 2_000;

/** Resolves once they were read for the first time, with a function that ends it. */
export async function followSecrets({
  folder,
  clock,
  log,
  onSecrets,
}: SecretFilesOptions): Promise<() => void> {
  let failed = '';
  let known: Secrets | undefined;
  const read = latest<void>(async () => {
    try {
      const secrets = await readSecrets(folder);
      if (!isDeepStrictEqual(secrets, known)) onSecrets(secrets);
      known = secrets;
      failed = '';
    } catch (error) {
      if (failed !== String(error))
        log.error({ err: error, folder }, 'secrets cannot be read; those held are used on');
      failed = String(error);
    }
  });
  read.offer();
  await read.idle();
  return clock.every(POLL_MS, () => read.offer());
}

async function readSecrets(folder: string): Promise<Secrets> {
  const files = (await filesIn(folder)).filter((name) => name.endsWith(ZONE_KEYS_SUFFIX)).sort();
  const zones = await Promise.all(files.map((name) => readZoneKeys(join(folder, name))));
  const cookie = (await readFileIfThere(join(folder, COOKIE_SECRET_FILE)))?.trim();
  if (cookie !== undefined && !/^[0-9a-f]{32}$/.test(cookie)) {
    throw new Error(`${COOKIE_SECRET_FILE}: 16 bytes in hex`);
  }
  return { zones, cookie: cookie === undefined ? undefined : Buffer.from(cookie, 'hex') };
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readZoneKeys(path: string): Promise<ZoneKeys> {
  const parsed = zoneKeys.safeParse(JSON.parse((await readFileIfThere(path)) ?? 'null'));
  // Not the value: it is a private key.
  if (!parsed.success)
    throw new Error(
      `${path}: ${parsed.error.issues.map(({ path: at }) => at.join('.')).join(', ')} is no key of a zone`,
    );
  return parsed.data;
}

/**
 * What it takes to speak to Redis, read once when a replica starts: its settings in weir.yaml, and the files beside it.
 * Other parts of weir.yaml may be wrong and are no matter here.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type RedisSettings, redis } from '../../../contract/config/redis.ts';

export interface RedisAccess extends RedisSettings {
  password: string | undefined;
  /** PEM. */
  ca: string | undefined;
}

/** Nothing where weir.yaml names no Redis; throws when what it says is wrong, or a file is not there. */
export async function redisAccess(
  config: string,
  environment: NodeJS.ProcessEnv,
): Promise<RedisAccess | undefined> {
  const document: unknown = parse(await readFile(config, 'utf8'));
  const found = z.looseObject({ redis: redis.optional() }).safeParse(document);
  if (!found.success) throw new Error(`${config}: ${z.prettifyError(found.error)}`);
  const settings = found.data.redis;
  if (!settings) return undefined;
  const read = async (file: string | undefined) =>
    file === undefined ? undefined : (await readFile(join(dirname(config), file), 'utf8')).trim();
  return {
    ...settings,
    password: (await read(settings.passwordFile)) ?? environment.WEIR_REDIS_PASSWORD,
    ca: await read(settings.caFile),
  };
}

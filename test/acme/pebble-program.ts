/**
 * Which `pebble` is tested against: the one below, which Go builds once into `~/.cache`; without Go, or without a way to
 * its modules, Debian's, which is older and knows no renewal information (RFC 9773).
 */
import { execFile, spawnSync } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../lib/message-of.ts';
import { cached } from '../cluster/binaries.ts';

const MODULE = 'github.com/letsencrypt/pebble/v2/cmd/pebble';
const VERSION = 'v2.10.1';
const BUILT = join(homedir(), '.cache', 'weir-pebble', VERSION, 'pebble');

export interface PebbleProgram {
  path: string;
  knowsRenewalInformation: boolean;
}

/** Nothing where there is none. */
export const pebbleProgram: PebbleProgram | undefined = await find();

async function find(): Promise<PebbleProgram | undefined> {
  try {
    return { path: await cached(BUILT, build), knowsRenewalInformation: true };
  } catch (error) {
    const reason = messageOf(error).split('\n')[0];
    const isThere = spawnSync('which', ['pebble']).status === 0;
    const instead = isThere
      ? 'the one that is installed is taken, and renewal information is not tested'
      : 'test/acme does not run: it needs Go, or `pebble` (apt-get install pebble)';
    process.stderr.write(`pebble ${VERSION} is not built (${reason}); ${instead}\n`);
    return isThere ? { path: 'pebble', knowsRenewalInformation: false } : undefined;
  }
}

async function build(aside: string): Promise<void> {
  const folder = `${aside}.d`;
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0', GOFLAGS: '-trimpath' };
  await promisify(execFile)('go', ['install', `${MODULE}@${VERSION}`], { env, cwd: dirname(aside) });
  await rename(join(folder, 'pebble'), aside);
  await rm(folder, { recursive: true });
}

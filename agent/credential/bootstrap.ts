/** Where an agent's first certificate comes from: a join token, or the ServiceAccount token of its pod. */

import type { JoinRequest } from '../../contract/stream/join.ts';
import { parseJoinToken } from '../../contract/trust/join-token.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import type { Whereabouts } from '../whereabouts.ts';
import { fetchPinned, operatorLine } from './operator-line.ts';
import { type Joined, join } from './request.ts';

export interface BootstrapOptions {
  whereabouts: Whereabouts;
  joinTokenFile?: string | undefined;
  serviceAccountTokenFile?: string | undefined;
  /** The operator's CAs; a join token names them itself. */
  operatorCa?: string | undefined;
}

export const canBootstrap = ({ joinTokenFile, serviceAccountTokenFile }: BootstrapOptions) =>
  joinTokenFile !== undefined || serviceAccountTokenFile !== undefined;

export async function bootstrap(
  options: BootstrapOptions,
  identity: Pick<JoinRequest, 'role' | 'node'>,
  signal?: AbortSignal,
): Promise<Joined> {
  return joinWith(await bearerOf(options), options, identity, signal);
}

/** With the text of a token of any kind. */
export async function joinWith(
  bearer: string,
  { whereabouts: operator, operatorCa }: BootstrapOptions,
  identity: Pick<JoinRequest, 'role' | 'node'>,
  signal?: AbortSignal,
): Promise<Joined> {
  const pinned = parseJoinToken(bearer);
  const authorities = pinned
    ? await fetchPinned(operator, pinned.authorities, signal)
    : await readNeeded(operatorCa, 'the operator’s CA (--operator-ca)');
  const dispatcher = operatorLine({ authorities: [authorities] });
  try {
    return await join({ operator, dispatcher, signal }, bearer, identity);
  } finally {
    await dispatcher.destroy();
  }
}

/** Read for each attempt: the kubelet writes a new one every hour. */
async function bearerOf({ joinTokenFile, serviceAccountTokenFile }: BootstrapOptions): Promise<string> {
  return (await readNeeded(joinTokenFile ?? serviceAccountTokenFile, 'a token to join with')).trim();
}

async function readNeeded(path: string | undefined, what: string): Promise<string> {
  const text = path === undefined ? undefined : await readFileIfThere(path);
  if (text !== undefined) return text;
  throw new Error(path === undefined ? `${what} is not given` : `${what}: ${path} is not there yet`);
}

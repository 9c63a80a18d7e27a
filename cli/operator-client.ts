/** Asks a running operator. An operator that does not answer is a normal thing: callers have another place to look. */
import { request } from 'undici';
import {
  RESOURCES_PATH,
  type ResourcesView,
  ROUTING_PATH,
  type RoutingView,
} from '../contract/stream/operator-api.ts';
import { readFileIfThere } from '../lib/atomic-file.ts';

export interface OperatorClient {
  resources(): Promise<ResourcesView>;
  routing(): Promise<RoutingView>;
}

/** It is on this machine: one that needs longer hangs. */
const TIMEOUT_MS = 2_000;

/** Each call throws when there is no answer, or another one than what was asked for. */
export function operatorClient(url: string, tokenFile: string): OperatorClient {
  const get = async (path: string): Promise<unknown> => {
    const token = (await readFileIfThere(tokenFile))?.trim();
    if (!token) throw new Error(`there is no token in ${tokenFile}`);
    const { statusCode, body } = await request(`${url}${path}`, {
      headers: { authorization: `Bearer ${token}` },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(2 * TIMEOUT_MS),
    });
    if (statusCode === 200) return body.json();
    throw new Error(`${url}${path} answered ${statusCode} ${(await body.text()).trim()}`);
  };
  return {
    // Both ends are of one installation and one version: the types are the contract.
    resources: async () => (await get(RESOURCES_PATH)) as ResourcesView,
    routing: async () => (await get(ROUTING_PATH)) as RoutingView,
  };
}

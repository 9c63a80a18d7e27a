/** Asks a running operator. An operator that does not answer is a normal thing: callers have another place to look. */
import { Agent, type Dispatcher } from 'undici';
import { Whereabouts } from '../../agent/whereabouts.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import { type JoinTokenView, type NewJoinToken, TOKENS_PATH } from '../../contract/stream/join.ts';
import {
  FORCE_PATH,
  type ForceRequest,
  RESOURCES_PATH,
  type ResourcesView,
  ROUTING_PATH,
  type RoutingView,
} from '../../contract/stream/operator-api.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';

export interface OperatorClient {
  resources(): Promise<ResourcesView>;
  routing(): Promise<RoutingView>;
  /** As Prometheus reads them. */
  metrics(): Promise<string>;
  /** Resolves when it is in force and durable; a node that does not exist throws. */
  force(request: ForceRequest): Promise<void>;
  /** Resolves with the text of a new one, which nobody can be told again. */
  makeJoinToken(asked: NewJoinToken): Promise<string>;
  joinTokens(): Promise<JoinTokenView[]>;
  revokeJoinToken(id: string): Promise<void>;
}

/** It did answer, and not with what was asked for. */
export class OperatorRefused extends Error {}

/** It is on this machine: one that needs longer hangs. */
const TIMEOUT_MS = 2_000;

/** Each call throws when there is no answer, or another one than what was asked for. */
export function operatorClient(url: string, state: StateFolder): OperatorClient {
  const operator = new Whereabouts(url);
  const line = operatorLine(state);
  const ask = async (
    path: string,
    body?: unknown,
    method: 'GET' | 'POST' | 'DELETE' = body === undefined ? 'GET' : 'POST',
  ) => {
    const token = (await readFileIfThere(state.token))?.trim();
    if (!token) throw new Error(`there is no token in ${state.token}`);
    const response = await operator.ask(path, {
      method,
      dispatcher: await line(),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(2 * TIMEOUT_MS),
    });
    if (response.statusCode < 300) return response;
    throw new OperatorRefused(
      `${operator.current()}${path} answered ${response.statusCode} ${(await response.body.text()).trim()}`,
    );
  };
  const get = async (path: string): Promise<unknown> => (await ask(path)).body.json();
  return {
    // Both ends are of one installation and one version: the types are the contract.
    resources: async () => (await get(RESOURCES_PATH)) as ResourcesView,
    routing: async () => (await get(ROUTING_PATH)) as RoutingView,
    metrics: async () => (await ask('/metrics')).body.text(),
    async force(asked) {
      await (await ask(FORCE_PATH, asked)).body.dump();
    },
    async makeJoinToken(asked) {
      const { token } = (await (await ask(TOKENS_PATH, asked)).body.json()) as { token: string };
      return token;
    },
    joinTokens: async () => ((await get(TOKENS_PATH)) as { tokens: JoinTokenView[] }).tokens,
    async revokeJoinToken(id) {
      await (await ask(`${TOKENS_PATH}/${encodeURIComponent(id)}`, undefined, 'DELETE')).body.dump();
    },
  };
}

/** Connections to the operator of a state folder: to the one whose CA lies there, and no other. Made anew when that changes. */
function operatorLine({ bundle }: StateFolder): () => Promise<Dispatcher> {
  let line: { dispatcher: Dispatcher; ca: string } | undefined;
  return async () => {
    const ca = await readFileIfThere(bundle);
    if (ca === undefined) throw new Error(`there is no CA in ${bundle}`);
    if (line?.ca === ca) return line.dispatcher;
    void line?.dispatcher.close();
    line = { ca, dispatcher: new Agent({ connect: { ca, minVersion: 'TLSv1.3', timeout: TIMEOUT_MS } }) };
    return line.dispatcher;
  };
}

/**
 * What an ACME server is told that asks for a token of an order on its way (RFC 8555 8.3): from the plan, so that every
 * edge that acked it answers without asking anybody. Before domains, redirects and the cache. Pure.
 */
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import { type Answer, textAnswer } from './answer.ts';

/** RFC 8555 8.3: asked for over plain HTTP, and never redirected. */
export const ACME_PATH = '/.well-known/acme-challenge/';

type Challenges = ReadonlyMap<string, string>;

const keyOf = (host: string, token: string) => `${host} ${token}`;

export const challengesByToken = (rows: NonNullable<EdgePlan['challenges']>): Challenges =>
  new Map(rows.map(({ hostname, token, keyAuthorization }) => [keyOf(hostname, token), keyAuthorization]));

/** Nothing for every other path, and for tokens that are somebody else's: a domain's origin may have orders of its own. */
export function acmeAnswer(
  challenges: Challenges,
  { host, path }: { host: string; path: string },
): Answer | undefined {
  if (challenges.size === 0 || !path.startsWith(ACME_PATH)) return undefined;
  const authorization = challenges.get(keyOf(host, path.slice(ACME_PATH.length)));
  if (authorization === undefined) return undefined;
  return textAnswer(200, authorization);
}

/**
 * A replica that does not lead: it answers with the leader's address, so that agents and people find it at any replica.
 * It is ready once it knows that address; before, there is nothing that it could do for them.
 */
import type { Election } from './backing.ts';
import { Refusal } from './publish/refusal.ts';
import type { Views } from './publish/stream-server.ts';
import type { RedisRelay } from './relay/redis/redis-relay.ts';
import { policyOf, type TrustPolicy } from './trust/policy.ts';

/** What a replica is to those who ask it, at the moment. */
export interface Post {
  views: Views;
  /** Whom to let in; throws a Refusal where that is not known. */
  policy(): TrustPolicy;
  /** The reason why it is of no use yet. */
  notReady(): string | undefined;
}

/** 307: the same request, at the leader. */
export function elsewhere(election: Election): Refusal {
  const { holder, address } = election.leader();
  const words = `standing by: ${holder || 'nobody'} leads`;
  return address === undefined
    ? new Refusal(503, words)
    : new Refusal(307, `${words}, at ${address}`, address);
}

/** The leader, before it has read anything. */
export const beforeReading = (): Refusal => new Refusal(503, 'the manifests have not been read yet');

/** Whatever people ask, this is the answer. */
export function refusing(refusal: () => Refusal): Post {
  const refuse = () => {
    throw refusal();
  };
  return {
    views: { force: async () => refuse(), resources: refuse, routing: refuse },
    policy: refuse,
    notReady() {
      const { location, message } = refusal();
      return location === undefined ? message : undefined;
    },
  };
}

/** It serves agents as the leader does, and knows whom to let in; people are sent to the leader all the same. */
export function relaying(relay: Pick<RedisRelay, 'trouble' | 'policy'>, refusal: () => Refusal): Post {
  return {
    ...refusing(refusal),
    policy() {
      const told = relay.policy();
      if (told) return policyOf(told);
      throw refusal();
    },
    notReady: () => relay.trouble(),
  };
}

/** A replica's part in the relay through Redis: it listens to the leader, until it is the leader that others listen to. */
import type { Registry } from 'prom-client';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import type { Refusal } from '../../publish/refusal.ts';
import type { Sessions } from '../../publish/sessions.ts';
import type { ToldPolicy } from '../../trust/policy.ts';
import type { Uplink } from '../relay.ts';
import type { Switchboard } from '../switchboard.ts';
import type { RedisAccess } from './access.ts';
import { redisClient } from './clients.ts';
import { LeaderLink } from './leader-link.ts';
import { relayMetrics } from './metrics.ts';
import { ReplicaLink } from './replica-link.ts';
import { RelayStore } from './store.ts';

interface RedisRelayOptions {
  access: RedisAccess;
  sessions: Sessions;
  /** Where the leader is, for who can not be served while Redis is away. */
  elsewhere: () => Refusal;
  /** The leader let it be known whom to let in. */
  onPolicy: () => void;
  metrics: Registry;
  clock: Clock;
  log: Log;
}

/** The leader's side of what passes through Redis. */
interface Lead {
  switchboard: Switchboard;
  /** Of what is published now. */
  epoch: () => number;
  onOutranked: (epoch: number) => void;
  /** Other replicas do not hear this one, or do again (nothing). */
  onTrouble?: (reason: string | undefined) => void;
}

export interface RedisRelay {
  /** To the leader, while another replica is. */
  uplink: Uplink;
  /** From now on this replica leads. */
  lead(lead: Lead): void;
  /** As the leader knows it; other replicas are told. */
  policyIs(policy: ToldPolicy | undefined): void;
  /** As a leader said last. */
  policy(): ToldPolicy | undefined;
  /** Why nothing passes. */
  trouble(): string | undefined;
  stop(): void;
}

export function redisRelay({ access, metrics: registry, ...options }: RedisRelayOptions): RedisRelay {
  const { log } = options;
  const metrics = relayMetrics(registry);
  const store = new RelayStore(
    redisClient(access, onceEach(log)),
    redisClient(access, () => {}),
    access.prefix,
  );
  const replica = new ReplicaLink({ ...options, store, metrics });
  let link: ReplicaLink | LeaderLink = replica;
  let policy: ToldPolicy | undefined;
  return {
    uplink: replica,
    lead(lead) {
      link.stop();
      link = new LeaderLink({ ...options, ...lead, policy: () => policy, store, metrics });
    },
    policyIs(told) {
      policy = told;
      if (link instanceof LeaderLink) link.tellPolicy();
    },
    policy: () => replica.policy,
    trouble: () => link.trouble(),
    stop() {
      link.stop();
      store.close();
    },
  };
}

/** A Redis that is away fails with the same words at every attempt. */
function onceEach(log: Log): (error: Error) => void {
  let last = '';
  return (error) => {
    if (error.message === last) return;
    last = error.message;
    log.warn({ err: error }, 'no connection to Redis');
  };
}

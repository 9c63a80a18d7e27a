/** For tests: a leader and a replica beside it that share a Redis, each as `main.ts` puts them together. */
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { redis } from '../../contract/config/redis.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { Refusal } from '../publish/refusal.ts';
import { Sessions } from '../publish/sessions.ts';
import type { RedisAccess } from '../relay/redis/access.ts';
import { type RedisRelay, redisRelay } from '../relay/redis/redis-relay.ts';
import { type Desk, Switchboard } from '../relay/switchboard.ts';
import type { TestDesk } from './relay-agents.ts';
import type { RelayUnderTest } from './relay-suite.ts';

/** Four seconds of the programs in one of the test. */
export const quickClock: Clock = {
  now: () => Date.now() * 4,
  after(ms, run) {
    const timer = setTimeout(run, ms / 4);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms / 4);
    return () => clearInterval(timer);
  },
};

export interface TestReplica {
  sessions: Sessions;
  relay: RedisRelay;
  metrics: Registry;
  /** Of a metric, all labels together. */
  metric(name: string): Promise<number>;
  lead(desk: Desk, epoch: number, onOutranked?: (epoch: number) => void): Switchboard;
}

export function startReplica(access: RedisAccess): TestReplica {
  const sessions = new Sessions(quickClock);
  const metrics = new Registry();
  const elsewhere = () => new Refusal(307, 'at the leader', 'http://leader');
  const relay = redisRelay({
    access,
    sessions,
    elsewhere,
    onPolicy: () => {},
    metrics,
    clock: quickClock,
    log: silentLog,
  });
  sessions.follow(relay.uplink);
  return {
    sessions,
    relay,
    metrics,
    async metric(name) {
      const { values = [] } = (await metrics.getSingleMetric(name)?.get()) ?? {};
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    lead(desk, epoch, onOutranked = () => {}) {
      const switchboard = new Switchboard(desk, silentLog);
      sessions.follow(switchboard.attach(sessions));
      relay.lead({ switchboard, epoch: () => epoch, onOutranked });
      return switchboard;
    },
  };
}

export interface RelayPair extends RelayUnderTest {
  access: RedisAccess;
  leader: TestReplica;
  replica: TestReplica;
}

export async function startRelayPair(
  desk: TestDesk,
  settings: { url: string; password?: string; ca?: string },
): Promise<RelayPair> {
  const { url, password, ca } = settings;
  // A prefix of its own: one Redis serves many tests.
  const access = { ...redis.parse({ url, prefix: `t-${randomUUID()}` }), password, ca };
  const [leader, replica, spare] = [startReplica(access), startReplica(access), startReplica(access)];
  const replicas = [leader, replica, spare];
  const switchboard = leader.lead(desk, 3);
  await eventually(() => {
    for (const { relay } of replicas) if (relay.trouble() !== undefined) throw new Error(relay.trouble());
  });
  return {
    access,
    leader,
    replica,
    sessions: replica.sessions,
    switchboard,
    async succeed(next, epoch) {
      leader.relay.stop();
      return spare.lead(next, epoch);
    },
    stop: async () => {
      for (const { relay } of replicas) relay.stop();
    },
  };
}

/** The relay through a real redis-server: by itself, with TLS, and as a cluster of three masters. */
import { afterAll, beforeAll } from 'vitest';
import {
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../../testing/redis-server.ts';
import { startRelayPair } from '../../testing/relay-pair.ts';
import { relayContract } from '../../testing/relay-suite.ts';

let redis: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  redis = await startRedis();
  cluster = await startRedisCluster();
}, 60_000);
afterAll(async () => {
  await redis.stop();
  await cluster.stop();
});

relayContract('through Redis', (desk) => startRelayPair(desk, { url: redis.url }));
relayContract('through a cluster of Redis', (desk) => startRelayPair(desk, { url: cluster.url }));

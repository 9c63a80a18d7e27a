/**
 * Connections to Redis: one for commands, and one on which reading waits. Neither keeps what it could not send: whoever
 * asked is told at once, and starts over when Redis is back.
 */
import { Cluster, Redis } from 'ioredis';
import { redisAddress } from '../../../contract/config/redis.ts';
import type { RedisAccess } from './access.ts';

export type RedisClient = Redis | Cluster;

/** A Redis that says nothing for so long is as good as gone. Reading waits less than this. */
const SILENCE_MS = 5_000;
const RECONNECT_CAP_MS = 2_000;

/** Connects by itself, again and again; `onError` hears why it could not. */
export function redisClient(access: RedisAccess, onError: (error: Error) => void): RedisClient {
  const { nodes, cluster, tls, user, database } = redisAddress(access.url);
  const options = {
    ...(user !== undefined && { username: user }),
    ...(access.password !== undefined && { password: access.password }),
    ...(tls && { tls: access.ca === undefined ? {} : { ca: access.ca } }),
    connectTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    commandTimeout: SILENCE_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  const retry = (times: number) => Math.min(RECONNECT_CAP_MS, 100 * 2 ** Math.min(times, 5));
  const client = cluster
    ? new Cluster(nodes, {
        redisOptions: options,
        enableOfflineQueue: false,
        clusterRetryStrategy: retry,
        // Certificates name hosts as the cluster announces them, not what those names resolve to.
        ...(tls && {
          dnsLookup: (address: string, found: (error: null, address: string) => void) => found(null, address),
        }),
      })
    : new Redis({ ...options, ...nodes[0], db: database, enableOfflineQueue: false, retryStrategy: retry });
  client.on('error', onError);
  return client;
}

/** What people are told of the link through Redis, as Events of the Lease. Pure. */
import type { Announcement } from '../../status/announcements.ts';

export const redisNews = (trouble: string | undefined): Announcement =>
  trouble === undefined
    ? { type: 'Normal', reason: 'RedisReachable', note: 'all replicas serve agents again' }
    : {
        type: 'Warning',
        reason: 'RedisUnreachable',
        note: `other replicas’ agents hear nothing new, and serve what they hold: ${trouble}`,
      };

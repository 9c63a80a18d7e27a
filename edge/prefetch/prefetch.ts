/**
 * Prefetches: the URLs of a command, and what the playlists among them name, are asked for as clients would. A few at a
 * time and so many in a second, since the origin has clients to serve as well; a URL that fails is asked for again.
 */
import type { PrefetchCommand } from '../../contract/stream/messages.ts';
import { backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import type { CommandResult } from '../cache/purges.ts';
import type { EdgeMetrics } from '../metrics.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Plans } from '../plan/plans.ts';
import { BadRequest, normalHost } from '../request/target.ts';
import { fetchOne, NotStored } from './fetch-one.ts';

export interface PrefetchParts {
  pipeline: Pipeline;
  plans: Plans;
  clock: Clock;
  metrics: EdgeMetrics;
  log: Log;
}

export interface Prefetches {
  /** Rejects with the URLs that are not stored. A second sending of a uid that is under way waits for the same. */
  run(command: PrefetchCommand): Promise<CommandResult>;
  stop(): void;
}

const TRIES = 3;
const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 5_000;
/** Playlists that name each other must end somewhere. */
const MAX_URLS = 100_000;

export function createPrefetches(parts: PrefetchParts): Prefetches {
  const { plans, clock, metrics, log } = parts;
  const running = new Map<string, Promise<CommandResult>>();
  const ending = new AbortController();

  return {
    run(command) {
      const known = running.get(command.uid);
      if (known !== undefined) return known;
      const done = work(command).finally(() => running.delete(command.uid));
      running.set(command.uid, done);
      return done;
    },
    stop: () => ending.abort(),
  };

  async function work({ urls, domain, concurrency, perSecond }: PrefetchCommand): Promise<CommandResult> {
    const begin = performance.now();
    const { hostnames = new Set<string>(), tls } = plans.current()?.byUid.get(domain) ?? {};
    const redirects = tls?.redirect ?? false;
    const known = new Set(urls);
    const queue = [...known];
    const failed: string[] = [];
    const pace = createPace(perSecond);
    let objects = 0;

    const one = async (url: string) => {
      try {
        const { stored, further } = await persistently(url, redirects, pace);
        if (stored) objects++;
        metrics.prefetches.inc({ outcome: stored ? 'stored' : 'there' });
        for (const next of further) {
          if (known.size >= MAX_URLS || known.has(next) || !isOfDomain(next, hostnames)) continue;
          known.add(next);
          queue.push(next);
        }
      } catch (error) {
        if (ending.signal.aborted) throw error;
        metrics.prefetches.inc({ outcome: 'failed' });
        failed.push(`${url}: ${messageOf(error)}`);
      }
    };
    await drain(queue, concurrency, one);
    if (failed.length > 0) {
      log.warn({ failed: failed.slice(0, 20), of: known.size }, 'a prefetch is not complete');
      throw new Error(
        `${failed.length} of ${known.size} URLs are not stored; ${failed.slice(0, 3).join('; ')}`,
      );
    }
    return { objects, durationMs: performance.now() - begin };
  }

  async function persistently(url: string, redirects: boolean, pace: () => Promise<void>) {
    // A plain request would be sent to https, as each client's is.
    const scheme = redirects || /^https:/i.test(url) ? 'https' : 'http';
    const wait = backoff(RETRY_BASE_MS, RETRY_CAP_MS);
    for (let left = TRIES - 1; ; left--) {
      await pace();
      try {
        return await fetchOne(parts.pipeline, url, { scheme, signal: ending.signal });
      } catch (error) {
        const hopeless = error instanceof NotStored && !error.again;
        if (hopeless || left === 0 || ending.signal.aborted) throw error;
        await pause(wait.next());
      }
    }
  }

  /** Resolves so many times in a second. */
  function createPace(perSecond: number): () => Promise<void> {
    let free = clock.now();
    return async () => {
      const at = Math.max(free, clock.now());
      free = at + 1_000 / perSecond;
      await pause(at - clock.now());
    };
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stopped = () => {
        cancel();
        reject(new Error('the edge stops'));
      };
      if (ending.signal.aborted) return reject(new Error('the edge stops'));
      if (ms <= 0) return resolve();
      const cancel = clock.after(ms, () => {
        ending.signal.removeEventListener('abort', stopped);
        resolve();
      });
      ending.signal.addEventListener('abort', stopped, { once: true });
    });
  }
}

/** Works a queue off that grows meanwhile, so many at a time. */
async function drain(
  queue: string[],
  concurrency: number,
  work: (item: string) => Promise<void>,
): Promise<void> {
  let idle: PromiseWithResolvers<void> | undefined;
  let active = 0;
  const worker = async () => {
    while (queue.length > 0 || active > 0) {
      const item = queue.shift();
      if (item === undefined) {
        // Another may find a playlist yet.
        idle ??= Promise.withResolvers();
        await idle.promise;
        continue;
      }
      active++;
      try {
        await work(item);
      } finally {
        active--;
        idle?.resolve();
        idle = undefined;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function isOfDomain(url: string, hostnames: ReadonlySet<string>): boolean {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return false;
  try {
    return hostnames.has(normalHost(parsed.host));
  } catch (error) {
    if (error instanceof BadRequest) return false;
    throw error;
  }
}

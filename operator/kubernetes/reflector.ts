/**
 * A copy of one collection of the Kubernetes API that heals by itself, whatever happens to the connection:
 *
 *     list (pages) ──> watch from its version ──ends──> wait ──> watch on from the last version seen
 *       ^                                                  │
 *       └── 410, an ERROR event, or ten minutes ───────────┘
 *
 * The copy is swapped whole by a list and changed by events; while neither works it stays as it was. Whoever reads it is
 * told that something changed; what it was only says whether that is worth a look: nothing depends on having seen every
 * step.
 */
import { z } from 'zod';
import { backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { hasStatus, type KubernetesApi } from './api.ts';
import { type ApiObject, apiObject, listAll, withoutOwners } from './objects.ts';
import type { WatchMetrics } from './watch-metrics.ts';

/** Every end of a watch waits a random time below this, doubling. */
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** What a watch missed, for whatever reason, is found after this. */
const RELIST_MS = 600_000;
/** A server ends a watch itself after a random time in this range, so that replicas share out among servers. */
const WATCH_MIN_S = 300;
const WATCH_SPREAD_S = 300;
/** Bookmarks come each minute: a connection without one for this long is dead, though nobody closed it. */
const SILENCE_MS = 150_000;

type RelistReason = 'Start' | 'Expired' | 'Periodic';

export interface ReflectorOptions {
  api: KubernetesApi;
  path: string;
  /** What of the collection: `labelSelector`, `fieldSelector`. */
  selection?: Record<string, string>;
  /** What of an object is kept; by default all but who owns which field of it. */
  keep?: (object: ApiObject) => ApiObject;
  /** Each object as it came, whole, before anybody hears of it. */
  onShown?: ((object: ApiObject) => void) | undefined;
  /** In metrics and logs. */
  resource: string;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
  /** It can't be read, for a new reason: `failure` says which. */
  onFailing?: () => void;
  /** 0 <= n < 1. */
  random?: () => number;
}

/** What an event did: nothing before is new, nothing after is gone. A list has none: anything may be another. */
export interface Change {
  before: ApiObject | undefined;
  after: ApiObject | undefined;
}

type OnChange = (change?: Change) => void;

const watchEvent = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});
const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const errorEvent = z.object({ code: z.int().default(0), message: z.string().default('') });

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #random: () => number;
  readonly #keep: (object: ApiObject) => ApiObject;
  readonly #backoff: ReturnType<typeof backoff>;
  readonly #stop = new AbortController();
  #objects: Map<string, ApiObject> | undefined;
  /** Where to watch on from; nothing when only a list helps. */
  #version: string | undefined;
  #relistReason: RelistReason = 'Start';
  #relistAt = 0;
  #lastHeard: number | undefined;
  #failing = '';
  #failure: unknown;
  #cancelWait = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#keep = options.keep ?? withoutOwners;
    this.#backoff = backoff(BACKOFF_BASE_MS, BACKOFF_CAP_MS, this.#random);
    options.metrics.followAge(
      options.resource,
      () => this.#lastHeard && options.clock.now() - this.#lastHeard,
    );
  }

  /** All objects by uid, as they are now; nothing before the first list. */
  objects(): ReadonlyMap<string, ApiObject> | undefined {
    return this.#objects;
  }

  /** Why it can't be read now, if it can't. */
  failure(): unknown {
    return this.#failure;
  }

  start(onChange: OnChange): void {
    this.#running = this.#run(onChange);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancelWait();
    await this.#running;
  }

  async #run(onChange: OnChange): Promise<void> {
    const { clock, metrics, resource } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#version !== undefined && clock.now() >= this.#relistAt) this.#relist('Periodic');
        if (this.#version === undefined) await this.#list(onChange);
        await this.#watch(onChange);
      } catch (error) {
        this.#judge(error);
      }
      if (this.#stop.signal.aborted) return;
      metrics.restarts.inc({ resource });
      await this.#wait(this.#backoff.next());
    }
  }

  #relist(reason: RelistReason): void {
    this.#version = undefined;
    this.#relistReason = reason;
  }

  /** What an end means: 410 and whatever the stream calls an error can only be healed by a list; the rest by trying on. */
  #judge(error: unknown): void {
    const { log, resource } = this.#options;
    if (this.#stop.signal.aborted) return;
    if (hasStatus(error, 410) || error instanceof RelistError) this.#relist('Expired');
    const reason = messageOf(error);
    this.#failure = error;
    if (reason === this.#failing) return;
    this.#failing = reason;
    log.warn({ resource, err: error }, 'the Kubernetes API does not answer; what it gave stays');
    this.#options.onFailing?.();
  }

  async #list(onChange: OnChange): Promise<void> {
    const { api, path, selection, clock, metrics, resource } = this.#options;
    const reason = this.#relistReason;
    const { objects, version } = await listAll((at, query) => api.get(at, query), path, selection);
    const fresh = new Map(objects.map((object) => [object.metadata.uid, this.#shown(object)] as const));
    const changed = this.#objects ? differences(this.#objects, fresh) : undefined;
    metrics.relists.inc({ resource, reason });
    if (reason === 'Periodic' && changed) metrics.missed.inc({ resource }, changed);
    this.#objects = fresh;
    this.#version = version;
    this.#relistAt = clock.now() + RELIST_MS;
    this.#heard();
    if (changed !== 0) onChange();
  }

  async #watch(onChange: OnChange): Promise<void> {
    const { api, path, selection, clock } = this.#options;
    const silence = new AbortController();
    let cancel = () => {};
    const waitAnew = () => {
      cancel();
      cancel = clock.after(SILENCE_MS, () =>
        silence.abort(new Error(`not a word for ${SILENCE_MS / 1_000} s`)),
      );
    };
    const untilRelist = Math.ceil((this.#relistAt - clock.now()) / 1_000);
    const query = {
      ...selection,
      allowWatchBookmarks: true,
      resourceVersion: this.#version ?? '',
      timeoutSeconds: Math.max(
        1,
        Math.min(untilRelist, WATCH_MIN_S + Math.floor(this.#random() * WATCH_SPREAD_S)),
      ),
    };
    waitAnew();
    try {
      const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
      for await (const event of api.watch(path, query, signal)) {
        waitAnew();
        this.#take(event, onChange);
      }
    } finally {
      cancel();
    }
  }

  #take(event: unknown, onChange: OnChange): void {
    const { type, object } = readOrRelist(watchEvent, event);
    if (type === 'ERROR') {
      const { code, message } = readOrRelist(errorEvent, object);
      throw new RelistError(`the watch ended with an error: ${code} ${message}`);
    }
    this.#heard();
    // A server that speaks is well: the next end is the first one again.
    this.#backoff.reset();
    if (type === 'BOOKMARK') {
      this.#version = readOrRelist(bookmark, object).metadata.resourceVersion;
      return;
    }
    const changed = readOrRelist(apiObject, object);
    const { uid, resourceVersion } = changed.metadata;
    const before = this.#objects?.get(uid);
    const after = type === 'DELETED' ? undefined : this.#shown(changed);
    if (after) this.#objects?.set(uid, after);
    else this.#objects?.delete(uid);
    this.#version = resourceVersion;
    onChange({ before, after });
  }

  #shown(object: ApiObject): ApiObject {
    this.#options.onShown?.(object);
    return this.#keep(object);
  }

  #heard(): void {
    const { log, resource, clock } = this.#options;
    this.#lastHeard = clock.now();
    this.#failure = undefined;
    if (this.#failing !== '') log.info({ resource }, 'the Kubernetes API answers again');
    this.#failing = '';
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** What the stream says can't be followed. Watching on from the same place would give it again. */
class RelistError extends Error {}

function readOrRelist<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new RelistError(`the watch gave what is no event: ${z.prettifyError(read.error)}`);
}

/** How many objects came, went or changed. */
function differences(before: ReadonlyMap<string, ApiObject>, after: ReadonlyMap<string, ApiObject>): number {
  const gone = [...before.keys()].filter((uid) => !after.has(uid));
  const other = [...after].filter(
    ([uid, { metadata }]) => before.get(uid)?.metadata.resourceVersion !== metadata.resourceVersion,
  );
  return gone.length + other.length;
}

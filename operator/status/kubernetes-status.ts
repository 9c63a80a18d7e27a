/**
 * Statuses in the cluster: server-side apply to `/status` with a field manager of our own. One object is written at
 * most once a second, and a status that the API server already has is not written.
 */
import type { KindName } from '../../contract/kinds/kind.ts';
import { API_VERSION } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import type { Log } from '../../lib/log.ts';
import { memo } from '../../lib/memo.ts';
import { goneKeys } from '../../lib/patched-map.ts';
import { resourceKey } from '../admit/snapshot.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { eventOf, eventsPath, regardingOf } from '../kubernetes/events.ts';
import {
  type ApiObject,
  apiObject,
  collectionPaths,
  listEach,
  objectPath,
  refOfObject,
} from '../kubernetes/objects.ts';
import { announcements } from './announcements.ts';
import { type Budget, fullBudget, refilled, spend, urgency, withoutDeferred } from './budget.ts';
import { parseRecord, type Statuses, type StatusRecord } from './record.ts';
import { changedRecords, type StatusStore } from './status-files.ts';
import { foreignFields, Strayed } from './strayed.ts';

export const FIELD_MANAGER = 'weir';
/** Changes of one object within this are one write. */
const GATHER_MS = 1_000;
const WRITES_AT_ONCE = 8;
/** The version of what is no more. */
const GONE = '';

interface KubernetesStatusOptions {
  api: KubernetesApi;
  /** Those that count; all where nothing is said. */
  namespaces?: readonly string[] | undefined;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  clock: Clock;
  log: Log;
}

export interface ClusterStatus extends StatusStore {
  /** What the source's watches show. */
  show(object: ApiObject): void;
}

export function kubernetesStatus(options: KubernetesStatusOptions): ClusterStatus {
  return new KubernetesStatus(options);
}

class KubernetesStatus implements ClusterStatus {
  readonly #options: KubernetesStatusOptions;
  /** By uid, the newest version of an object that was shown: mostly one that can be written over at once. */
  readonly #versions = new Map<string, string>();
  /** By uid: what the API server has, in which version of the object, and when it was told. */
  readonly #written = new Map<string, { digest: string; at: number; version: string }>();
  readonly #strayed = new Strayed();

  #budget: Budget;

  constructor(options: KubernetesStatusOptions) {
    this.#options = options;
    this.#budget = fullBudget(options.clock.now());
  }

  async load(): Promise<Statuses> {
    const { api, namespaces } = this.#options;
    const lists = await Promise.all(
      Object.values(KINDS).map(async (kind) => {
        const paths = collectionPaths(kind, namespaces);
        const objects = await listEach((path, query) => api.get(path, query), paths);
        return objects.map((object) => this.#readRecord(kind.kind, object));
      }),
    );
    const records = lists.flat().filter((record) => record !== undefined);
    return new Map(records.map((record) => [resourceKey(record.ref), record] as const));
  }

  /** Writes what the budget allows, the most urgent first, and no object twice within a second. */
  async save(before: Statuses, after: Statuses): Promise<Statuses> {
    const fresh = changedRecords(before, after).filter(({ uid }) => uid !== '');
    const strayed = this.#strayed.among(after, this.#versionOf);
    const changed = [...new Set([...fresh, ...strayed])];
    const chosen = this.#choose(before, changed);
    const settled = new Set<StatusRecord>();
    for (const rows of chosen.values()) {
      await inParallel(rows, WRITES_AT_ONCE, async (record) => {
        const isThere = this.#written.get(record.uid)?.digest === digestOf(record);
        const outcome = isThere && !strayed.includes(record) ? 'AsItIs' : await this.#write(record);
        if (outcome !== 'Later') settled.add(record);
        if (outcome === 'Written') await this.#announce(before.get(resourceKey(record.ref)), record);
      });
    }
    for (const key of goneKeys(before, after)) this.#forget(before.get(key)?.uid ?? GONE);
    const deferred = changed.filter((record) => !settled.has(record)).map(({ ref }) => resourceKey(ref));
    return withoutDeferred(before, after, deferred);
  }

  turns(): number {
    return Math.floor(refilled(this.#budget, this.#options.clock.now()).revisions);
  }

  /** By urgency: each is durable before the next begins. */
  #choose(before: Statuses, changed: readonly StatusRecord[]): Map<number, StatusRecord[]> {
    const now = this.#options.clock.now();
    const due = changed.filter(({ uid }) => (this.#written.get(uid)?.at ?? 0) + GATHER_MS <= now);
    const byUrgency = Map.groupBy(due, (record) => urgency(record, before.get(resourceKey(record.ref))));
    const { chosen, left } = spend(refilled(this.#budget, now), byUrgency);
    this.#budget = left;
    return chosen;
  }

  /** `Gone`: the source will say so. `Later`: it is not as it was shown; the watch will show how it is. */
  async #write(record: StatusRecord): Promise<'Written' | 'Gone' | 'Later'> {
    this.#options.mayWrite();
    const shown = this.#versions.get(record.uid);
    if (shown === undefined) return 'Later';
    const version = await this.#apply(record, shown).catch((error: unknown) => {
      if (hasStatus(error, 404, 409)) return hasStatus(error, 404) ? GONE : undefined;
      throw error;
    });
    if (version === undefined) return 'Later';
    const at = this.#options.clock.now();
    this.#written.set(record.uid, { digest: digestOf(record), at, version });
    if (version === GONE) return 'Gone';
    this.#versions.set(record.uid, version);
    return 'Written';
  }

  #forget(uid: string): void {
    this.#written.delete(uid);
    this.#versions.delete(uid);
  }

  readonly #versionOf = (uid: string) => this.#written.get(uid)?.version;

  show(object: ApiObject): void {
    this.#versions.set(object.metadata.uid, object.metadata.resourceVersion);
    this.#strayed.show(object);
  }

  hasStrayed(): boolean {
    return this.#strayed.waits(this.#versionOf);
  }

  /** News are told once; one that can't be told is in the status all the same. */
  async #announce(before: StatusRecord | undefined, { ref, uid, status }: StatusRecord): Promise<void> {
    const { api, clock, log } = this.#options;
    const object = regardingOf(ref, uid);
    const known = before?.uid === uid ? before.status.conditions : undefined;
    for (const news of announcements(known ?? [], status.conditions ?? [])) {
      try {
        await api.create(eventsPath(object), eventOf(object, news, clock.now()));
      } catch (error) {
        log.warn({ err: error, ref, reason: news.reason }, 'an Event is not written');
      }
    }
  }

  /**
   * The uid of a `/status` is not compared by API servers, the resourceVersion is. Without it a job that was deleted and
   * made again under its name could be called Complete for what the one before it did. Resolves with the version that
   * came of it; a conflict (409) where it is no more as it was shown.
   */
  async #apply({ ref, status }: StatusRecord, resourceVersion: string): Promise<string> {
    const { api } = this.#options;
    const { kind, namespace, name } = ref;
    const path = `${objectPath(ref)}/status`;
    const place = { name, resourceVersion, ...(namespace !== '' && { namespace }) };
    const body = { apiVersion: API_VERSION, kind, metadata: place, status };
    const answer = apiObject.parse(await api.apply(path, FIELD_MANAGER, body));
    const foreign = foreignFields(answer.status, status);
    if (foreign.length === 0) return answer.metadata.resourceVersion;
    const without = { status: Object.fromEntries(foreign.map((field) => [field, null])) };
    return apiObject.parse(await api.merge(path, without)).metadata.resourceVersion;
  }

  #readRecord(kind: KindName, object: ApiObject): StatusRecord | undefined {
    const { uid, generation = 1, creationTimestamp, resourceVersion: version } = object.metadata;
    const { status } = object;
    // The CRD's default: nobody looked at it yet.
    if (Reflect.get(Object(status), 'observedGeneration') === -1) return undefined;
    try {
      const value = { uid, generation, firstSeen: creationTimestamp, status };
      const record = parseRecord(refOfObject(kind, object), value);
      this.#written.set(uid, { digest: digestOf(record), at: 0, version });
      return record;
    } catch (error) {
      const { name, namespace } = object.metadata;
      this.#options.log.warn(
        { err: error, kind, namespace, name },
        'a status does not read; it is made anew',
      );
      return undefined;
    }
  }
}

const digestOf = memo(({ status }: StatusRecord) => canonicalDigest(status));

/**
 * The accepted forms in the cluster, as the history of a DaemonSet is kept there: one ControllerRevision for each
 * CdnDomain (beside it, owned by it), each EdgeNode and weir.yaml (in the operator's namespace). Their content can't be
 * changed, so a new form is a new revision, and the older ones go once it is there.
 *
 * A PurgeJob has none: its spec can't change, so a job that was begun is its own accepted form.
 */
import { API_VERSION } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import { inParallel } from '../../../lib/in-parallel.ts';
import type { Log } from '../../../lib/log.ts';
import { changedEntries, goneKeys } from '../../../lib/patched-map.ts';
import {
  type Accepted,
  type AcceptedResource,
  NOTHING_ACCEPTED,
  refOf,
  resourceKey,
} from '../../admit/snapshot.ts';
import { hasStatus, isGone, type KubernetesApi } from '../../kubernetes/api.ts';
import type { ApiObject } from '../../kubernetes/objects.ts';
import { reflect } from '../../kubernetes/reflect.ts';
import type { WatchMetrics } from '../../kubernetes/watch-metrics.ts';
import type { AcceptedStore } from '../folder/accepted-files.ts';
import { storedDigest, toStored } from '../stored-form.ts';
import {
  CONFIG,
  type ControllerRevision,
  LABEL,
  listAccepted,
  listBegunJobs,
  revisionPaths,
  SELECTION,
} from './listed-forms.ts';

/** Ten thousand domains that were never seen before are written in seconds, and the API server has time for others. */
const WRITES_AT_ONCE = 16;

interface AcceptedRevisionsOptions {
  api: KubernetesApi;
  /** The operator's own. */
  namespace: string;
  /** Those that count; all where nothing is said. */
  namespaces?: readonly string[] | undefined;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
}

/** What is kept of one form: its digest and number, and all the revisions that it may be found in. */
interface Kept {
  digest: string;
  revision: number;
  paths: string[];
}

export interface KeptRevisions extends AcceptedStore {
  /** Sees to it, from now on, that what was saved stays there: one that somebody deletes is written again. */
  guard(): () => Promise<void>;
}

export function acceptedRevisions(options: AcceptedRevisionsOptions): KeptRevisions {
  return new AcceptedRevisions(options);
}

class AcceptedRevisions implements KeptRevisions {
  readonly #options: AcceptedRevisionsOptions;
  /** By `resourceKey`, and CONFIG. */
  readonly #kept = new Map<string, Kept>();
  #saved: Accepted | undefined;
  /** All of these are written: of the next ones only what differs has to be looked at. */
  #durable: Accepted['resources'] | undefined;
  /** How often something of what is kept was lost. */
  #losses = 0;
  /** Paths that the watch has shown: only what was seen can be missed. */
  #shown = new Set<string>();
  #queue: Promise<void> = Promise.resolve();

  constructor(options: AcceptedRevisionsOptions) {
    this.#options = options;
  }

  async load(): Promise<Accepted> {
    const { accepted, kept } = await listAccepted(this.#options);
    for (const { key, digest, row } of kept) this.#remember(key, digest, row);
    const { config } = accepted;
    const resources = new Map(accepted.resources);
    for (const job of await listBegunJobs(this.#options))
      resources.set(resourceKey(refOf(job.resource)), job);
    return { config, resources };
  }

  save(accepted: Accepted): Promise<void> {
    this.#saved = accepted;
    const saving = this.#queue.then(() => this.#save(accepted));
    this.#queue = saving.catch(() => {});
    return saving;
  }

  guard(): () => Promise<void> {
    const { namespace, namespaces } = this.#options;
    const reflector = reflect(revisionPaths(namespaces, namespace), {
      ...this.#options,
      selection: SELECTION,
      resource: 'controllerrevisions',
      // The forms themselves are in memory once already.
      keep: ({ metadata: { name, namespace = '', uid, resourceVersion, creationTimestamp } }) => ({
        metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
      }),
    });
    reflector.start((change) => {
      // Those that we write and remove ourselves are no reason to look through ten thousand each time.
      if (change?.after) this.#shown.add(pathOf(change.after));
      else if (change?.before) this.#deleted(pathOf(change.before));
      else this.#lookForLosses([...(reflector.objects()?.values() ?? [])].map(pathOf));
    });
    return () => reflector.stop();
  }

  #deleted(path: string): void {
    if (!this.#shown.delete(path)) return;
    const lost = [...this.#kept].filter(([, { paths }]) => paths.includes(path));
    this.#writeAgain(lost.map(([key]) => key));
  }

  #lookForLosses(paths: readonly string[]): void {
    const there = new Set(paths);
    const lost = [...this.#kept].filter(([, { paths: kept }]) =>
      kept.some((path) => this.#shown.has(path) && !there.has(path)),
    );
    this.#shown = there;
    this.#writeAgain(lost.map(([key]) => key));
  }

  #writeAgain(keys: readonly string[]): void {
    const { config, resources } = this.#saved ?? NOTHING_ACCEPTED;
    const isWanted = (key: string) => (key === CONFIG ? config !== undefined : resources.has(key));
    const lost = keys.filter(isWanted);
    if (lost.length === 0 || !this.#saved) return;
    for (const key of lost) this.#kept.delete(key);
    // Also where a writing is under way that has passed over these.
    this.#durable = undefined;
    this.#losses += 1;
    const { log } = this.#options;
    log.warn({ resources: lost }, 'accepted forms were deleted, and are written again');
    this.save(this.#saved).catch((error: unknown) =>
      log.error({ err: error }, 'accepted forms that were deleted are not written; the next change does it'),
    );
  }

  async #save({ config, resources }: Accepted): Promise<void> {
    if (config) await this.#saveForm(CONFIG, canonicalDigest(config), () => this.#configRevision(config));
    const [durable, losses] = [this.#durable, this.#losses];
    this.#durable = undefined;
    const changed = [...(durable ? changedEntries(durable, resources) : resources)].filter(
      ([key, form]) =>
        form.resource.kind !== 'PurgeJob' && this.#kept.get(key)?.digest !== storedDigest(form),
    );
    let isWhole = true;
    try {
      await inParallel(changed, WRITES_AT_ONCE, async ([key, form]) => {
        isWhole = (await this.#saveForm(key, storedDigest(form), () => this.#formRevision(form))) && isWhole;
      });
    } finally {
      // One that can't be written (a tenant's quota, say) keeps no other from going.
      await this.#removeGone(durable ?? this.#kept, resources);
    }
    if (isWhole && this.#losses === losses) this.#durable = resources;
  }

  /** Those of a CdnDomain go with it in any case; this is sooner. */
  async #removeGone(before: ReadonlyMap<string, unknown>, resources: Accepted['resources']): Promise<void> {
    const gone = goneKeys(before, resources).filter((key) => key !== CONFIG && this.#kept.has(key));
    await inParallel(gone, WRITES_AT_ONCE, async (key) => {
      await this.#remove(this.#kept.get(key)?.paths ?? []);
      this.#kept.delete(key);
    });
  }

  /** False where there is nothing any more to write it beside. */
  async #saveForm(key: string, digest: string, make: () => Fresh): Promise<boolean> {
    const kept = this.#kept.get(key);
    if (kept?.digest === digest) return true;
    this.#options.mayWrite();
    const { namespace, name, kind, owner, data } = make();
    const folder = `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`;
    const fullName = `${name}-${digest.slice(0, 10)}`;
    const revision = (kept?.revision ?? 0) + 1;
    try {
      await this.#options.api.create(folder, {
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: {
          name: fullName,
          namespace,
          labels: { [LABEL]: kind, 'app.kubernetes.io/managed-by': 'weir' },
          ...(owner && { ownerReferences: [owner] }),
        },
        revision,
        data,
      });
    } catch (error) {
      if (isGone(error)) return false;
      // An older form that is in force again, or an answer that was lost: it is made anew, with its number.
      if (!hasStatus(error, 409)) throw error;
      await this.#remove([`${folder}/${fullName}`]);
      throw error;
    }
    this.#kept.set(key, { digest, revision, paths: [`${folder}/${fullName}`] });
    await this.#remove(kept?.paths ?? []);
    return true;
  }

  #configRevision(config: NonNullable<Accepted['config']>): Fresh {
    const { namespace } = this.#options;
    return { namespace, name: 'weir-config', kind: CONFIG, owner: undefined, data: config };
  }

  #formRevision(form: AcceptedResource): Fresh {
    const { kind, metadata } = form.resource;
    return {
      // A cluster-scoped owner may own what lies in any namespace.
      namespace: metadata.namespace || this.#options.namespace,
      name: `weir-${KINDS[kind].plural}-${metadata.name}`,
      kind,
      owner: { apiVersion: API_VERSION, kind, name: metadata.name, uid: metadata.uid },
      data: toStored(form),
    };
  }

  #remember(key: string, digest: string, row: ControllerRevision): void {
    const paths = [...(this.#kept.get(key)?.paths ?? []), pathOf(row)];
    this.#kept.set(key, { digest, revision: row.revision, paths });
  }

  async #remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      this.#options.mayWrite();
      // By ourselves: nobody has to look whether it is lost.
      this.#shown.delete(path);
      await this.#options.api.remove(path).catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error;
      });
    }
  }
}

function pathOf({ metadata: { namespace = '', name } }: ApiObject): string {
  return `/apis/apps/v1/namespaces/${namespace}/controllerrevisions/${name}`;
}

interface Fresh {
  namespace: string;
  name: string;
  kind: string;
  owner: Record<string, string> | undefined;
  data: unknown;
}

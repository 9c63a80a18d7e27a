/**
 * The Kubernetes API as a source: a reflector for each kind, and weir.yaml from a file. What a reflector says only marks
 * the moment as out of date; a moment is then made of all that the copies hold.
 */
import type { KindDefinition, KindName } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import type { Clock } from '../../../lib/clock.ts';
import { type Latest, latest } from '../../../lib/latest.ts';
import type { Log } from '../../../lib/log.ts';
import type { KubernetesApi } from '../../kubernetes/api.ts';
import { type ApiObject, collectionPaths } from '../../kubernetes/objects.ts';
import { type Copy, reflect } from '../../kubernetes/reflect.ts';
import type { Change } from '../../kubernetes/reflector.ts';
import type { WatchMetrics } from '../../kubernetes/watch-metrics.ts';
import type { Loaded, Source, SourceDocument } from '../source.ts';
import type { ConfigFile } from './config-file.ts';
import { NamedSecrets, secretsNamedBy } from './named-secrets.ts';
import { isSameManifest, toDocument } from './to-document.ts';

/** A `kubectl apply` of many objects comes as many events: they make few moments. */
const GATHER_MS = 50;
/** kubelet swaps a changed ConfigMap within a minute; we add little to that. */
const CONFIG_POLL_MS = 2_000;

interface KubernetesSourceOptions {
  api: KubernetesApi;
  /** Those that count; all where nothing is said. */
  namespaces?: readonly string[] | undefined;
  config: ConfigFile;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
  random?: () => number;
  /** An object was shown anew: its status may be another. */
  onShown?: (object: ApiObject) => void;
}

export interface KubernetesSource extends Source {
  /** The copy of one kind, by uid; nothing before it was read once. */
  objects(kind: KindName): ReadonlyMap<string, ApiObject> | undefined;
}

export function kubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  return new ReflectedSource(options);
}

class ReflectedSource implements KubernetesSource {
  readonly #options: KubernetesSourceOptions;
  readonly #copies: { kind: KindDefinition; reflector: Copy }[];
  readonly #configLooks: Latest<void>;
  /** By uid: the same document of the same manifest, so that what is made of it further on is made once. */
  #documents = new Map<string, { object: ApiObject; document: SourceDocument }>();
  readonly #secrets: NamedSecrets;
  #onLoaded: (loaded: Loaded) => void = () => {};
  #stopPolling = () => {};
  #cancelGathering: (() => void) | undefined;

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#copies = Object.values<KindDefinition>(KINDS).map((kind) => {
      const { plural } = kind;
      const paths = collectionPaths(kind, options.namespaces);
      return { kind, reflector: reflect(paths, { ...options, resource: plural }) };
    });
    this.#secrets = new NamedSecrets(options, () => this.#gather());
    this.#configLooks = latest(async () => {
      if (await options.config.look()) this.#gather();
    });
  }

  start(onLoaded: (loaded: Loaded) => void): void {
    this.#onLoaded = onLoaded;
    for (const { reflector } of this.#copies) {
      reflector.start((change) => this.#changed(reflector, change));
    }
    this.#stopPolling = this.#options.clock.every(CONFIG_POLL_MS, () => this.#configLooks.offer());
  }

  objects(wanted: KindName): ReadonlyMap<string, ApiObject> | undefined {
    return this.#copies.find(({ kind }) => kind.kind === wanted)?.reflector.objects();
  }

  async stop(): Promise<void> {
    this.#stopPolling();
    await Promise.all([...this.#copies.map(({ reflector }) => reflector.stop()), this.#secrets.stop()]);
    await this.#configLooks.idle();
    this.#cancelGathering?.();
  }

  /** Most events are the echo of the statuses that we write: those make no new moment. */
  #changed(copy: Copy, change: Change | undefined): void {
    const { onShown = () => {} } = this.#options;
    const { before, after } = change ?? {};
    if (after) onShown(after);
    else if (!change) for (const object of copy.objects()?.values() ?? []) onShown(object);
    if (!before || !after || !isSameManifest(before, after)) this.#gather();
  }

  #secretsNamed(): Set<string> {
    const kinds = (['CdnDomain', 'Certificate'] as const).map((kind) => this.objects(kind));
    return new Set(kinds.flatMap((objects) => [...(objects?.values() ?? [])].flatMap(secretsNamedBy)));
  }

  #gather(): void {
    this.#cancelGathering ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelGathering = undefined;
      this.#hand();
    });
  }

  /** Nothing before every kind was read once: what is not known yet must not look deleted. */
  #hand(): void {
    const { clock, config } = this.#options;
    const known = this.#documents;
    const documents: typeof known = new Map();
    for (const { kind, reflector } of this.#copies) {
      const objects = reflector.objects();
      if (objects === undefined) return;
      for (const [uid, object] of objects) {
        // One that is going away is as good as gone: out of DNS first, whoever else still holds on to it.
        if (object.metadata.deletionTimestamp !== undefined) continue;
        const row = known.get(uid);
        const isKnown = row && (row.object === object || isSameManifest(row.object, object));
        documents.set(uid, { object, document: isKnown ? row.document : toDocument(kind.kind, object) });
      }
    }
    this.#documents = documents;
    if (!this.#secrets.follow(this.#secretsNamed())) return;
    this.#onLoaded({
      at: new Date(clock.now()).toISOString(),
      config: config.document(),
      secrets: (namespace, name) => this.#secrets.find(namespace, name),
      documents: [...documents.values()]
        .map(({ document }) => document)
        .sort((a, b) => (a.file < b.file ? -1 : 1)),
    });
  }
}

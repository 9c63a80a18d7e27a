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
import type { WatchMetrics } from '../../kubernetes/watch-metrics.ts';
import type { Loaded, Source } from '../source.ts';
import type { ConfigFile } from './config-file.ts';
import { toDocument } from './to-document.ts';

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
    this.#configLooks = latest(async () => {
      if (await options.config.look()) this.#gather();
    });
  }

  start(onLoaded: (loaded: Loaded) => void): void {
    this.#onLoaded = onLoaded;
    for (const { reflector } of this.#copies) reflector.start(() => this.#gather());
    this.#stopPolling = this.#options.clock.every(CONFIG_POLL_MS, () => this.#configLooks.offer());
  }

  objects(wanted: KindName): ReadonlyMap<string, ApiObject> | undefined {
    return this.#copies.find(({ kind }) => kind.kind === wanted)?.reflector.objects();
  }

  async stop(): Promise<void> {
    this.#stopPolling();
    await Promise.all(this.#copies.map(({ reflector }) => reflector.stop()));
    await this.#configLooks.idle();
    this.#cancelGathering?.();
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
    const documents = this.#copies.map(({ kind, reflector }) => {
      const objects = reflector.objects();
      // One that is going away is as good as gone: out of DNS first, whoever else still holds on to it.
      return (
        objects &&
        [...objects.values()]
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .map((object) => toDocument(kind.kind, object))
      );
    });
    if (documents.some((rows) => rows === undefined)) return;
    this.#onLoaded({
      at: new Date(clock.now()).toISOString(),
      config: config.document(),
      documents: documents.flatMap((rows) => rows ?? []).sort((a, b) => (a.file < b.file ? -1 : 1)),
    });
  }
}

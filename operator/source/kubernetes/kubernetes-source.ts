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
import { type ApiObject, collectionPaths, withoutOwners, withoutStatus } from '../../kubernetes/objects.ts';
import { type Copy, reflect } from '../../kubernetes/reflect.ts';
import type { Change } from '../../kubernetes/reflector.ts';
import type { WatchMetrics } from '../../kubernetes/watch-metrics.ts';
import type { Loaded, Source } from '../source.ts';
import type { ConfigFile } from './config-file.ts';
import { Documents } from './documents.ts';
import { NamedSecrets } from './named-secrets.ts';

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
  /** An object was shown anew: its status may be another. Of what is kept it is no part. */
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
  readonly #documents = new Documents();
  /** A collection was read anew: anything may be another. */
  #isStale = true;
  readonly #secrets: NamedSecrets;
  #onLoaded: (loaded: Loaded) => void = () => {};
  #stopPolling = () => {};
  #cancelGathering: (() => void) | undefined;

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#copies = Object.values<KindDefinition>(KINDS).map((kind) => {
      const { plural } = kind;
      const paths = collectionPaths(kind, options.namespaces);
      // Who owns which field, registration asks of EdgeNodes.
      const keep = kind.kind === 'EdgeNode' ? withoutStatus : withoutBoth;
      return { kind, reflector: reflect(paths, { ...options, keep, resource: plural }) };
    });
    this.#secrets = new NamedSecrets(options, () => this.#gather());
    this.#configLooks = latest(async () => {
      if (await options.config.look()) this.#gather();
    });
  }

  start(onLoaded: (loaded: Loaded) => void): void {
    this.#onLoaded = onLoaded;
    for (const { kind, reflector } of this.#copies) {
      reflector.start((change) => this.#changed(kind.kind, change));
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
  #changed(kind: KindName, change: Change | undefined): void {
    const { before, after } = change ?? {};
    const uid = (after ?? before)?.metadata.uid;
    if (uid === undefined) this.#isStale = true;
    else if (!this.#isStale && !this.#documents.put(kind, uid, after)) return;
    this.#gather();
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
    if (this.#isStale && !this.#readAnew()) return;
    if (!this.#secrets.follow(this.#documents.secrets)) return;
    this.#onLoaded({
      at: new Date(clock.now()).toISOString(),
      config: config.document(),
      secrets: (namespace, name) => this.#secrets.find(namespace, name),
      documents: this.#documents.sorted,
    });
  }

  #readAnew(): boolean {
    const all: [KindName, ReadonlyMap<string, ApiObject>][] = [];
    for (const { kind, reflector } of this.#copies) {
      const objects = reflector.objects();
      if (objects === undefined) return false;
      all.push([kind.kind, objects]);
    }
    this.#documents.replace(all);
    this.#isStale = false;
    return true;
  }
}

const withoutBoth = (object: ApiObject) => withoutOwners(withoutStatus(object));

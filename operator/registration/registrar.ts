/**
 * Registration at work: looks at Kubernetes nodes, edge pods and EdgeNodes, and writes what `registrations` says. That
 * something changed only starts a round; each round looks at all of it.
 */
import { Gauge, type Registry } from 'prom-client';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import { type Latest, latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { InForce } from '../backing.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { type ApiObject, apiObject, objectPath } from '../kubernetes/objects.ts';
import type { WatchMetrics } from '../kubernetes/watch-metrics.ts';
import { FIELD_MANAGER, registrations, type Step } from './registrations.ts';
import { faultTeller } from './tell-faults.ts';
import { WatchedCluster } from './watched-cluster.ts';

/** Changes come in bursts: a rollout, a drain. */
const GATHER_MS = 100;
/** What waits for time to pass, and changed settings, are seen this late. */
const LOOK_MS = 5_000;
/** One EdgeNode is written at most once within this, and so many of them in it: a plan follows each burst. */
const PACE_MS = 1_000;
const WRITES_PER_ROUND = 50;
const WRITES_AT_ONCE = 8;
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 30_000;

export interface RegistrarOptions extends InForce {
  api: KubernetesApi;
  /** The operator's own. */
  namespace: string;
  /** All EdgeNodes by uid; nothing before they were read once. */
  edgeNodes: () => ReadonlyMap<string, ApiObject> | undefined;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  watchMetrics: WatchMetrics;
  metrics: Registry;
  clock: Clock;
  log: Log;
}

/** What was written of an EdgeNode, or that it was removed: holds until the watch shows another version than `over`. */
interface Written {
  at: number;
  over: string;
  object: ApiObject | undefined;
}

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #cluster: WatchedCluster;
  readonly #tell: ReturnType<typeof faultTeller>;
  readonly #rounds: Latest<void>;
  readonly #backoff = backoff(RETRY_BASE_MS, RETRY_CAP_MS);
  /** By name. */
  readonly #written = new Map<string, Written>();
  #counts = { faults: 0, held: 0 };
  #notBefore = 0;
  #cancelNext: (() => void) | undefined;
  #stopLooking = () => {};
  #stopped = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    const onChange = () => this.#soon(GATHER_MS);
    this.#cluster = new WatchedCluster({ ...options, metrics: options.watchMetrics, onChange });
    this.#tell = faultTeller(options);
    this.#rounds = latest(() => this.#round());
    this.#gauge('faults', 'Labels, annotations and addresses of Kubernetes nodes that make no EdgeNode.');
    this.#gauge('held', 'EdgeNodes left as they are, since more than half of all have no pod at once.');
  }

  start(): void {
    this.#stopLooking = this.#options.clock.every(LOOK_MS, () => this.#rounds.offer());
    this.#rounds.offer();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopLooking();
    this.#cancelNext?.();
    await this.#rounds.idle();
    await this.#cluster.stop();
  }

  #gauge(what: 'faults' | 'held', help: string): void {
    const read = () => this.#counts[what];
    new Gauge({
      name: `weir_operator_registration_${what}`,
      help,
      registers: [this.#options.metrics],
      collect() {
        this.set(read());
      },
    });
  }

  #soon(ms: number): void {
    if (this.#stopped) return;
    this.#cancelNext ??= this.#options.clock.after(ms, () => {
      this.#cancelNext = undefined;
      this.#rounds.offer();
    });
  }

  async #round(): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#stopped || clock.now() < this.#notBefore) return;
    try {
      await this.#reconcile();
      this.#backoff.reset();
    } catch (error) {
      log.warn({ err: error }, 'EdgeNodes are not all registered; trying again');
      const wait = this.#backoff.next();
      this.#notBefore = clock.now() + wait;
      this.#soon(wait);
    }
  }

  async #reconcile(): Promise<void> {
    const config = this.#options.config();
    await this.#cluster.follow(config?.registration);
    const objects = this.#cluster.objects();
    const edgeNodes = this.#edgeNodes();
    const plan = this.#options.plan();
    // Just leading: a pod that ends meanwhile must not wait for the next look.
    if (!config || !plan) this.#soon(PACE_MS);
    if (!config || !plan || !objects || !edgeNodes) return;
    const now = this.#options.clock.now();
    const found = registrations({ ...objects, edgeNodes, config, lingerMs: lingerMs(plan), now });
    this.#count(found.faults.length, found.held);
    await this.#tell(found.faults);
    const due = found.steps.filter(({ name }) => now - (this.#written.get(name)?.at ?? 0) >= PACE_MS);
    const batch = due.slice(0, WRITES_PER_ROUND);
    if (batch.length < found.steps.length) this.#soon(PACE_MS);
    await inParallel(batch, WRITES_AT_ONCE, (step) => this.#carryOut(step));
  }

  #count(faults: number, held: readonly string[]): void {
    if (held.length > 0 && this.#counts.held === 0) {
      const message =
        'more than half of all EdgeNodes have no pod at once and stay: is `registration` right?';
      this.#options.log.error({ nodes: held }, message);
    }
    this.#counts = { faults, held: held.length };
  }

  /** By name, as the API server has them by all that we know: the watch may be behind what we wrote. */
  #edgeNodes(): Map<string, ApiObject> | undefined {
    const copy = this.#options.edgeNodes();
    if (!copy) return undefined;
    const byName = new Map([...copy.values()].map((object) => [object.metadata.name, object] as const));
    for (const [name, { over, object }] of this.#written) {
      if (versionOf(byName.get(name)) !== over) continue;
      if (object) byName.set(name, object);
      else byName.delete(name);
    }
    return byName;
  }

  async #carryOut(step: Step): Promise<void> {
    const { api, mayWrite, clock, log, edgeNodes } = this.#options;
    const { name, type } = step;
    const copy = edgeNodes()?.values() ?? [];
    const over = versionOf([...copy].find(({ metadata }) => metadata.name === name));
    const path = objectPath({ kind: KINDS.EdgeNode.kind, namespace: '', name });
    mayWrite();
    try {
      const object = type === 'apply' ? await this.#apply(path, step.manifest) : undefined;
      if (type === 'remove') await api.remove(path, step.uid);
      this.#written.set(name, { at: clock.now(), over, object });
      log.info({ node: name }, type === 'apply' ? 'EdgeNode applied' : 'EdgeNode removed');
    } catch (error) {
      // It is gone, or somebody took a field in this very moment: the watch says so.
      if (!hasStatus(error, 404, 409)) throw error;
      this.#soon(PACE_MS);
    }
  }

  async #apply(path: string, manifest: unknown): Promise<ApiObject> {
    return apiObject.parse(await this.#options.api.apply(path, FIELD_MANAGER, manifest, { force: false }));
  }
}

const versionOf = (object: ApiObject | undefined) => object?.metadata.resourceVersion ?? '';

/**
 * An EdgeNode outlives its edge for as long as resolvers send clients there whom they told of it before: as an edge
 * serves on a domain that left its plan, ten minutes, or twice the TTL where that is longer.
 */
function lingerMs({ domains }: RoutingPlan): number {
  const longest = domains.reduce((ttl, domain) => Math.max(ttl, domain.ttl), 0);
  return Math.max(600_000, 2 * longest * 1_000);
}

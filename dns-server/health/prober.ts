/**
 * Probes every address of every node on its own timer and keeps what is known of each. Follows the plan: an address
 * that stays keeps its state, one that comes is unknown, one that goes is forgotten.
 *
 * A node that freezes is out within interval x failureThreshold + timeout: probes start at a fixed beat, whether or
 * not the one before has ended.
 */
import type { RoutingNode } from '../../contract/plans/routing-plan.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ProbeTarget } from './probe.ts';
import { type AddressHealth, firstRound, type Observation, observe, turnMs, UNKNOWN } from './state.ts';

export interface ProberOptions {
  clock: Clock;
  probe: (target: ProbeTarget, signal: AbortSignal) => Promise<Observation>;
  /** A state or the set of addresses changed. */
  onChange: () => void;
  /** The time changed after which a state can turn. */
  onTurnTime?: () => void;
  onProbe?: (node: string, ok: boolean) => void;
  /** An address went down or came back. */
  onTurn?: (turn: HealthTurn) => void;
  random?: () => number;
}

export interface HealthTurn {
  node: string;
  address: string;
  healthy: boolean;
  detail: string;
}

/** What is probed, and how. */
interface Subject {
  node: string;
  target: ProbeTarget;
  check: RoutingNode['healthCheck'];
}

interface Watch extends Subject {
  state: AddressHealth;
  /** Probes started, and the latest one that was heard of: an older result says nothing new. */
  started: number;
  heard: number;
  cancel: () => void;
}

/** Nobody waits longer for the first round, whatever time-outs the checks have: what is slower stays unknown. */
const FIRST_ROUND_MAX_MS = 10_000;

export class Prober {
  readonly #options: ProberOptions;
  readonly #watches = new Map<string, Watch>();
  readonly #stopping = new AbortController();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** The nodes to watch from now on. */
  follow(nodes: readonly RoutingNode[]): void {
    const wanted = new Map(nodes.flatMap(subjectsOf));
    let changed = false;
    for (const [key, watch] of this.#watches) {
      if (wanted.has(key)) continue;
      watch.cancel();
      this.#watches.delete(key);
      changed = true;
    }
    for (const [key, subject] of wanted) {
      const held = this.#watches.get(key);
      if (held && canonicalJson(held.check) === canonicalJson(subject.check)) continue;
      held?.cancel();
      // Other settings of a check say nothing of the machine: what is known of it stays.
      this.#watch(key, subject, held?.state ?? UNKNOWN);
      changed = true;
    }
    if (changed) this.#options.onChange();
  }

  /** Probes all addresses once and lets the result decide; for the start, before anything is answered. */
  async firstRound(): Promise<void> {
    const deadline = Promise.withResolvers<undefined>();
    const cancel = this.#options.clock.after(FIRST_ROUND_MAX_MS, () => deadline.resolve(undefined));
    const looks = await Promise.all(
      [...this.#watches].map(async ([key, watch]): Promise<[string, FirstLook] | undefined> => {
        const observation = await Promise.race([this.#look(watch), deadline.promise]);
        return observation && [key, { observation, thresholds: watch.check }];
      }),
    );
    cancel();
    for (const [key, state] of firstRound(new Map(looks.filter((seen) => seen !== undefined)))) {
      const watch = this.#watches.get(key);
      if (watch) this.#turn(watch, state);
    }
    this.#options.onChange();
  }

  /** What is known, in the form that is reported; sorted. */
  health(): HealthReport['nodes'] {
    const nodes = Map.groupBy(this.#watches.values(), ({ node }) => node);
    return [...nodes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, ofNode]) => ({
        node,
        addresses: ofNode.map(({ target, state, check }) => {
          const { healthy, detail } = state;
          return { address: target.address, healthy, detail, turnMs: turnMs(state, check) };
        }),
      }));
  }

  stop(): void {
    this.#stopping.abort();
    for (const { cancel } of this.#watches.values()) cancel();
    this.#watches.clear();
  }

  #watch(key: string, subject: Subject, state: AddressHealth): void {
    const { clock, random = Math.random } = this.#options;
    const { intervalMs } = subject.check;
    const watch: Watch = { ...subject, state, started: 0, heard: 0, cancel: () => {} };
    const beat = () => void this.#beat(key, watch);
    // Spread over the interval, so that a thousand probes do not leave in one burst.
    watch.cancel = clock.after(Math.floor(random() * intervalMs), () => {
      beat();
      watch.cancel = clock.every(intervalMs, beat);
    });
    this.#watches.set(key, watch);
  }

  async #beat(key: string, watch: Watch): Promise<void> {
    const turn = ++watch.started;
    const observation = await this.#look(watch);
    // While it was on its way the watch may have ended, or a later probe may have told more.
    if (this.#watches.get(key) !== watch || turn < watch.heard) return;
    watch.heard = turn;
    const before = watch.state;
    this.#turn(watch, observe(before, observation, watch.check));
    const { healthy, known } = watch.state;
    if (healthy !== before.healthy || known !== before.known) this.#options.onChange();
    else if (turnMs(watch.state, watch.check) !== turnMs(before, watch.check)) this.#options.onTurnTime?.();
  }

  async #look({ node, target }: Watch): Promise<Observation> {
    const observation = await this.#options.probe(target, this.#stopping.signal);
    if (!this.#stopping.signal.aborted) this.#options.onProbe?.(node, observation.ok);
    return observation;
  }

  #turn(watch: Watch, state: AddressHealth): void {
    const { node, target } = watch;
    const { healthy, detail } = state;
    const turned = healthy !== watch.state.healthy;
    watch.state = state;
    if (turned) this.#options.onTurn?.({ node, address: target.address, healthy, detail });
  }
}

interface FirstLook {
  observation: Observation;
  thresholds: RoutingNode['healthCheck'];
}

function subjectsOf({ name, addresses, healthCheck: check }: RoutingNode): [string, Subject][] {
  const { protocol, port, path, tls, timeoutMs } = check;
  return addresses.map((address) => [
    `${name} ${address}`,
    { node: name, check, target: { protocol, address, port, path, ...(tls && { tls }), timeoutMs } },
  ]);
}

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
import { type AddressHealth, firstRound, type Observation, observe, UNKNOWN } from './state.ts';

export interface ProberOptions {
  clock: Clock;
  probe: (target: ProbeTarget, signal: AbortSignal) => Promise<Observation>;
  /** A state or the set of addresses changed. */
  onChange: () => void;
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

interface Watch {
  node: string;
  check: RoutingNode['healthCheck'];
  target: ProbeTarget;
  state: AddressHealth;
  /** Probes started, and the latest one that was heard of: an older result says nothing new. */
  started: number;
  heard: number;
  cancel: () => void;
}

/** Nobody waits longer for the first round, whatever time-outs the checks have: what is slower stays unknown. */
const FIRST_ROUND_MAX_MS = 10_000;

export interface Prober {
  /** The nodes to watch from now on. */
  follow(nodes: readonly RoutingNode[]): void;
  /** Probes all addresses once and lets the result decide; for the start, before anything is answered. */
  firstRound(): Promise<void>;
  /** What is known, in the form that is reported; sorted. */
  health(): HealthReport['nodes'];
  stop(): void;
}

export function createProber({
  clock,
  probe,
  onChange,
  onProbe,
  onTurn,
  random = Math.random,
}: ProberOptions): Prober {
  const watches = new Map<string, Watch>();
  const stopping = new AbortController();

  async function look(watch: Watch): Promise<Observation> {
    const observation = await probe(watch.target, stopping.signal);
    if (!stopping.signal.aborted) onProbe?.(watch.node, observation.ok);
    return observation;
  }

  async function beat(key: string, watch: Watch): Promise<void> {
    const turn = ++watch.started;
    const observation = await look(watch);
    if (stopping.signal.aborted || watches.get(key) !== watch || turn < watch.heard) return;
    watch.heard = turn;
    const before = watch.state;
    turnTo(watch, observe(before, observation, watch.check));
    if (watch.state.healthy !== before.healthy || watch.state.known !== before.known) onChange();
  }

  function turnTo(watch: Watch, state: AddressHealth): void {
    const { node, target } = watch;
    const { healthy, detail } = state;
    if (healthy !== watch.state.healthy) onTurn?.({ node, address: target.address, healthy, detail });
    watch.state = state;
  }

  function start(key: string, watch: Watch): void {
    const { intervalMs } = watch.check;
    // Spread over the interval, so that a thousand probes do not leave in one burst.
    const cancelFirst = clock.after(Math.floor(random() * intervalMs), () => {
      void beat(key, watch);
      watch.cancel = clock.every(intervalMs, () => void beat(key, watch));
    });
    watch.cancel = cancelFirst;
  }

  return {
    follow(nodes) {
      const wanted = new Map(nodes.flatMap(targetsOf));
      let changed = false;
      for (const [key, watch] of watches) {
        if (wanted.get(key)?.same(watch)) continue;
        watch.cancel();
        if (!wanted.has(key)) watches.delete(key);
        changed = true;
      }
      for (const [key, { node, check, target, same }] of wanted) {
        const held = watches.get(key);
        if (held && same(held)) continue;
        // Other settings of a check say nothing of the machine: what is known of it stays.
        const state = held?.state ?? UNKNOWN;
        const watch: Watch = { node, check, target, state, started: 0, heard: 0, cancel: () => {} };
        watches.set(key, watch);
        start(key, watch);
        changed = true;
      }
      if (changed) onChange();
    },

    async firstRound() {
      const deadline = Promise.withResolvers<undefined>();
      const cancel = clock.after(FIRST_ROUND_MAX_MS, () => deadline.resolve(undefined));
      const looks = await Promise.all(
        [...watches].map(async ([key, watch]): Promise<[string, FirstLook] | undefined> => {
          const observation = await Promise.race([look(watch), deadline.promise]);
          return observation && [key, { observation, thresholds: watch.check }];
        }),
      );
      cancel();
      for (const [key, state] of firstRound(new Map(looks.filter((seen) => seen !== undefined)))) {
        const watch = watches.get(key);
        if (watch) turnTo(watch, state);
      }
      onChange();
    },

    health() {
      const nodes = Map.groupBy(watches.values(), ({ node }) => node);
      return [...nodes]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([node, ofNode]) => ({
          node,
          addresses: ofNode.map(({ target, state: { healthy, detail } }) => {
            return { address: target.address, healthy, detail };
          }),
        }));
    },

    stop() {
      stopping.abort();
      for (const { cancel } of watches.values()) cancel();
      watches.clear();
    },
  };
}

interface FirstLook {
  observation: Observation;
  thresholds: RoutingNode['healthCheck'];
}

interface Target extends Pick<Watch, 'node' | 'check' | 'target'> {
  /** Whether a watch probes just this. */
  same: (watch: Watch) => boolean;
}

function targetsOf({ name, addresses, healthCheck: check }: RoutingNode): [string, Target][] {
  const { port, path, timeoutMs } = check;
  const settings = canonicalJson(check);
  const same = (watch: Watch) => canonicalJson(watch.check) === settings;
  return addresses.map((address) => [
    `${name} ${address}`,
    { node: name, check, target: { address, port, path, timeoutMs }, same },
  ]);
}

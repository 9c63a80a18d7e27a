/** Load to weights: the rules one by one, and a day of traffic with a node that fails. */
import { describe, expect, test } from 'vitest';
import { edgeNode } from '../../contract/kinds/edge-node.ts';
import type { EdgeNode } from '../../contract/kinds/kinds.ts';
import { Leader, node } from '../testing/resources.ts';
import { afterLoad, type LoadState, rampOf, UNLOADED, utilisation } from './load.ts';

const MINUTE = 60_000;

describe('utilisation', () => {
  const load = { type: 'load' as const, cpu: 0.2, bitsPerSecond: 6e9, connections: 500 };

  test.each([
    [{ bitsPerSecond: 1e10, connections: undefined }, 0.6],
    [{ bitsPerSecond: 1e10, connections: 600 }, 500 / 600],
    [{ bitsPerSecond: undefined, connections: undefined }, 0.2],
  ])('with %j is %d: the nearest limit counts', (capacity, used) => {
    expect(utilisation(load, capacity)).toBe(used);
  });
});

describe('the weight', () => {
  const at = (weight: number, changedAt = 0): LoadState => ({ weight, changedAt });

  test.each([0.65, 0.7, 0.85])('stays between the marks: %d', (used) => {
    const state = at(0.5);
    expect(afterLoad(state, used, 10 * MINUTE)).toBe(state);
  });

  test('gives up just what is too much, once for each cause', () => {
    const lowered = afterLoad(UNLOADED, 1, 10 * MINUTE);
    expect(lowered).toEqual({ weight: 0.75, changedAt: 10 * MINUTE });
    expect(afterLoad(lowered, 1, 11 * MINUTE)).toBe(lowered);
    expect(afterLoad(lowered, 0.9, 12 * MINUTE).weight).toBeCloseTo(0.63, 1);
  });

  test('comes back in small steps, never above all of it', () => {
    let state = at(0.75);
    const weights: number[] = [];
    for (let step = 1; step < 8; step++) {
      state = afterLoad(state, 0.3, step * 3 * MINUTE);
      weights.push(state.weight);
    }
    expect(weights).toEqual([0.83, 0.91, 1, 1, 1, 1, 1]);
  });

  test('never goes to nothing', () => {
    let state = UNLOADED;
    for (let step = 1; step < 20; step++) state = afterLoad(state, 5, step * 3 * MINUTE);
    expect(state.weight).toBe(0.1);
  });

  test('of a node that came back grows by quarters', () => {
    const shares = [undefined, 0, -29_999, -30_000, -60_000, -90_000, Number.NEGATIVE_INFINITY];
    expect(shares.map((recoveredAt) => rampOf(recoveredAt, 0))).toEqual([0.25, 0.25, 0.25, 0.5, 0.75, 1, 1]);
  });
});

const capacity = (bandwidth: string) => ({ bandwidth });

function machine(name: string, bandwidth: string): EdgeNode {
  const { metadata } = node(name);
  const spec = edgeNode.spec.parse({
    addresses: ['192.0.2.1'],
    region: 'us-west',
    capacity: capacity(bandwidth),
  });
  return { kind: 'EdgeNode', metadata, spec };
}

/**
 * Six nodes of unequal strength and equal weight, and the traffic of a day: a wave with noise. Clients go by the
 * weights of the table, but late: a tenth of them asks again every ten seconds. From 20:00 on a node is down for an hour.
 */
function day() {
  const gigabits = [10, 10, 10, 10, 10, 4];
  const names = gigabits.map((_, index) => `n-${index}`);
  const leader = new Leader();
  leader.snapshot(gigabits.map((size, index) => machine(`n-${index}`, `${size}Gbps`)));
  for (const name of names) leader.settle(name);
  let noise = 42;
  const random = () => {
    noise = (noise * 1_103_515_245 + 12_345) % 2 ** 31;
    return noise / 2 ** 31 - 0.5;
  };
  const weightOf = (name: string) => leader.row(name)?.weight ?? 1;
  let shares = new Map(names.map((name) => [name, 1 / names.length]));
  const history: { at: number; weights: number[]; used: number[]; moved: number; down: boolean }[] = [];
  const start = leader.now;
  for (let second = 0; second < 86_400; second += 10) {
    const hour = second / 3_600;
    const down = hour >= 20 && hour < 21;
    // 33 Gbit/s in the evening, where equal shares would be 5.5 for a node that can do 4.
    const total = (18 + 15 * Math.sin(((hour - 14) / 24) * 2 * Math.PI)) * (1 + 0.06 * random());
    const up = names.filter((name) => !(down && name === 'n-0'));
    const sum = up.reduce((weight, name) => weight + weightOf(name), 0);
    const wanted = new Map(names.map((name) => [name, up.includes(name) ? weightOf(name) / sum : 0]));
    let moved = 0;
    shares = new Map(
      names.map((name) => {
        const [has, wants] = [shares.get(name) ?? 0, wanted.get(name) ?? 0];
        moved += Math.abs(wants - has) * 0.05;
        return [name, has + (wants - has) * 0.1];
      }),
    );
    const used = names.map((name, index) => ((shares.get(name) ?? 0) * total) / (gigabits[index] ?? 1));
    leader.now = start + second * 1_000;
    names.forEach((name, index) => {
      const bits = (used[index] ?? 0) * (gigabits[index] ?? 0) * 1e9;
      const report = { type: 'load' as const, cpu: 0.1, bitsPerSecond: bits, connections: 1 };
      leader.on({ type: 'report', role: 'edge', node: name, report });
    });
    const nodes = names.map((name) => ({
      node: name,
      addresses: [{ address: '192.0.2.1', healthy: !(down && name === 'n-0'), detail: '' }],
    }));
    leader.on({ type: 'report', role: 'dns-server', node: 'dns-1', report: { type: 'health', nodes } });
    leader.on({ type: 'tick' });
    history.push({ at: hour, weights: names.map(weightOf), used, moved, down });
  }
  return { history, names };
}

describe('a day with a node that fails for an hour', () => {
  const { history, names } = day();
  const changesOf = (index: number) =>
    history.flatMap(({ at, weights }, step) => {
      const before = history[step - 1]?.weights[index] ?? 1;
      const now = weights[index] ?? 1;
      return now === before ? [] : [{ at, by: now - before }];
    });

  test('nobody is overloaded for longer than a few minutes after something happened', () => {
    const over = history.filter(({ used }) => used.some((share) => share > 1));
    expect(over.length * 10).toBeLessThan(15 * 60);
  });

  test('only the overflow moves: strong nodes keep all of their weight while none fails', () => {
    const calm = history.filter(({ at }) => at < 20);
    for (const index of [0, 1, 2, 3, 4]) {
      expect(Math.min(...calm.map(({ weights }) => weights[index] ?? 0))).toBe(1);
    }
    expect(Math.min(...calm.map(({ weights }) => weights[5] ?? 1))).toBeLessThan(0.8);
    // The weak one has at least what it can carry at the peak: 4 of 54.
    expect(Math.min(...calm.map(({ weights }) => weights[5] ?? 0))).toBeGreaterThan(0.3);
  });

  test('little moves: less than one time the whole traffic in a day, most of it by the failure', () => {
    const sum = (rows: typeof history) => rows.reduce((total, { moved }) => total + moved, 0);
    expect(sum(history)).toBeLessThan(1);
    expect(sum(history.filter(({ at }) => at < 20))).toBeLessThan(0.25);
  });

  test('nothing flaps: few changes, and few of them against the one before', () => {
    names.forEach((_, index) => {
      const changes = changesOf(index);
      const turns = changes.filter(({ by }, at) => at > 0 && by * (changes[at - 1]?.by ?? by) < 0);
      expect(changes.length).toBeLessThan(40);
      expect(turns.length).toBeLessThanOrEqual(6);
    });
  });

  test('the node that failed starts slowly, and has its whole weight again two minutes later', () => {
    const at = (hour: number) => history.find((row) => row.at >= hour)?.weights[0];
    expect([at(20.99), at(21.002), at(21.01), at(21.05)]).toEqual([0.25, 0.25, 0.5, 1]);
  });
});

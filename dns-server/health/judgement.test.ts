/** From probes and votes to what answers go by, with a network that is cut and dns-servers that disagree. */
import { describe, expect, test, vi } from 'vitest';
import { EMPTY_TABLE, type NodeTable } from '../../contract/plans/node-table.ts';
import type { HealthReport } from '../../contract/stream/messages.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { testNode } from '../testing/routing-plan.ts';
import { Judgement } from './judgement.ts';
import { Prober } from './prober.ts';

type Nodes = HealthReport['nodes'];

/** One dns-server: its probes go over a network that can be cut, wholly or to some nodes. */
function setting(count: number) {
  const clock = new FakeClock();
  const nodes = Array.from({ length: count }, (_, index) =>
    testNode(`n-${index}`, 'r', { addresses: [`192.0.2.${index}`] }),
  );
  const unreachable = new Set<string>();
  let random = 0;
  const world = {
    clock,
    unreachable,
    connected: false,
    cut: () => {
      for (const { addresses } of nodes) unreachable.add(addresses[0] ?? '');
    },
    health: [] as Nodes,
    votes: [] as Nodes,
    massDown: vi.fn(),
  };
  const prober = new Prober({
    clock,
    probe: async ({ address }) =>
      unreachable.has(address) ? { ok: false, detail: 'EHOSTUNREACH' } : { ok: true, detail: 'HTTP 200' },
    onChange: () => judgement.probed(prober.health()),
    random: () => {
      random = (random + 0.37) % 1;
      return random;
    },
  });
  const judgement = new Judgement({
    self: 'dns-1',
    clock,
    log: silentLog,
    connected: () => world.connected,
    onHealth: (health) => {
      world.health = health;
    },
    onVote: (health) => {
      world.votes = health;
    },
    onMassDown: world.massDown,
  });
  judgement.follow(nodes);
  prober.follow(nodes);
  const pass = async (seconds: number) => {
    for (let step = 0; step < seconds * 10; step++) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { ...world, world, judgement, pass, down: () => downOf(world.health) };
}

function downOf(health: Nodes): string[] {
  return health.flatMap(({ node, addresses }) => (addresses.some(({ healthy }) => healthy) ? [] : [node]));
}

const table = (voters: string[], down: Record<string, string[]> = {}): NodeTable => ({
  ...EMPTY_TABLE,
  voters,
  rows: Object.entries(down).map(([node, by]) => ({
    node,
    acked: { epoch: 1, seq: 1 },
    admitted: true,
    reason: '',
    down: [{ address: `192.0.2.${node.slice(2)}`, by }],
  })),
});

describe('when its network is cut', () => {
  test('a server of many nodes keeps what it knew, says so, and votes nobody out', async () => {
    const { world, pass, unreachable, down, massDown, cut } = setting(6);
    await pass(2);
    unreachable.add('192.0.2.5');
    await pass(30);
    expect(down()).toEqual(['n-5']);
    cut();
    await pass(10);
    // The one that was down before stays down: only what is new is in doubt.
    expect(down()).toEqual(['n-5']);
    expect(downOf(world.votes)).toEqual(['n-5']);
    expect(world.health[0]?.addresses[0]?.detail).toContain('more than half of the nodes went down at once');
    expect(massDown).toHaveBeenLastCalledWith(5);
    unreachable.clear();
    await pass(10);
    expect(down()).toEqual([]);
    expect(massDown).toHaveBeenLastCalledWith(0);
  });

  test('it judges anew when half of the nodes are back', async () => {
    const { pass, unreachable, down, cut } = setting(6);
    await pass(2);
    cut();
    await pass(10);
    for (const index of [0, 1, 2]) unreachable.delete(`192.0.2.${index}`);
    await pass(10);
    expect(down()).toEqual(['n-3', 'n-4', 'n-5']);
  });

  test('with four nodes it goes by its probes', async () => {
    const { pass, down, massDown, cut } = setting(4);
    await pass(2);
    cut();
    await pass(10);
    expect(down()).toHaveLength(4);
    expect(massDown).not.toHaveBeenCalled();
  });

  test('nodes that fail one after the other, round after round, are taken out', async () => {
    const { pass, unreachable, down } = setting(6);
    await pass(2);
    for (let index = 0; index < 5; index++) {
      unreachable.add(`192.0.2.${index}`);
      await pass(10);
    }
    expect(down()).toEqual(['n-0', 'n-1', 'n-2', 'n-3', 'n-4']);
  });
});

describe('among other dns-servers', () => {
  test('the majority decides, and a tie leaves a node up', async () => {
    const { world, judgement, pass, unreachable, down } = setting(3);
    world.connected = true;
    unreachable.add('192.0.2.0');
    await pass(10);
    expect(down()).toEqual(['n-0']);
    judgement.useTable(table(['dns-1', 'dns-2']));
    expect(down()).toEqual([]);
    judgement.useTable(table(['dns-1', 'dns-2', 'dns-3'], { 'n-0': ['dns-3'] }));
    expect(down()).toEqual(['n-0']);
    judgement.useTable(table(['dns-1', 'dns-2', 'dns-3'], { 'n-1': ['dns-2', 'dns-3'] }));
    expect(down()).toEqual(['n-1']);
    // Its own vote in the table is old: what it sees itself counts.
    judgement.useTable(table(['dns-1', 'dns-2'], { 'n-1': ['dns-1', 'dns-2'] }));
    expect(down()).toEqual([]);
  });

  test('alone it goes by its own view, half a minute after it lost the operator', async () => {
    const { world, judgement, pass, unreachable, down } = setting(3);
    world.connected = true;
    unreachable.add('192.0.2.0');
    await pass(10);
    judgement.useTable(table(['dns-2', 'dns-3']));
    expect(down()).toEqual([]);
    world.connected = false;
    await pass(25);
    expect(down()).toEqual([]);
    await pass(15);
    expect(down()).toEqual(['n-0']);
  });
});

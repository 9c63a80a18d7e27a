/**
 * Random lives of a small fleet against what must always hold. The model knows what each agent really did; a dns-server
 * keeps every row that it was ever given, as the contract has it; operators come and go with what they wrote down.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY_TABLE, mergeTables, type NodeRow } from '../../contract/plans/node-table.ts';
import { type AcceptedResource, refOf, resourceKey } from '../admit/snapshot.ts';
import { NO_HOLDINGS } from '../certificates/holdings.ts';
import { startPublication } from '../publish/publication.ts';
import { type Statuses, statusOf } from '../status/record.ts';
import { restoredStatuses } from '../status/restored.ts';
import { statuses } from '../status/statuses.ts';
import { job, Leader, snapshot } from '../testing/resources.ts';
import type { Effect } from './state.ts';

const NODES = ['a', 'b', 'c'];
const DEADLINE_SECONDS = 100;

interface Agent {
  connected: boolean;
  /** The leader went away while it was connected, a moment ago. */
  presumed: boolean;
  /** Commands that arrived and are not applied yet. */
  inbox: string[];
  applied: Set<string>;
  /** What it must do before it may be answered: uids of jobs, and `stale` when it missed one that ended. */
  owed: Set<string>;
  /** It missed a job that ended. */
  stale: boolean;
}

class World {
  leader = new Leader();
  written: Statuses = new Map();
  /** What a dns-server holds. */
  view: NodeRow[] = [];
  jobs: string[] = [];
  made = 0;
  presumedUntil = 0;
  readonly agents = new Map<string, Agent>(
    NODES.map((name) => [
      name,
      { connected: false, presumed: false, inbox: [], applied: new Set(), owed: new Set(), stale: false },
    ]),
  );

  agent(name: string): Agent {
    const agent = this.agents.get(name);
    if (!agent) throw new Error(`no agent ${name}`);
    return agent;
  }

  snapshot(): void {
    this.#carry(
      this.leader.snapshot(
        NODES,
        this.jobs.map((name) => job(name, { activeDeadlineSeconds: DEADLINE_SECONDS })),
      ),
    );
  }

  connect(name: string): void {
    const agent = this.agent(name);
    const missed = agent.presumed ? [] : this.#unfinished().filter((uid) => !agent.applied.has(uid));
    Object.assign(agent, { connected: true, inbox: [] });
    for (const uid of missed) agent.owed.add(uid);
    if (agent.stale) agent.owed.add('stale');
    this.#carry(this.leader.connect(name));
    this.#carry(this.leader.ack(name));
  }

  /** The stream stays open; the link to the leader is new. */
  resume(name: string): void {
    const agent = this.agent(name);
    if (!agent.connected) return;
    agent.inbox = [];
    this.#carry(this.leader.connect(name, 1, 1, true));
  }

  disconnect(name: string): void {
    Object.assign(this.agent(name), { connected: false });
    this.#carry(this.leader.disconnect(name));
  }

  /** The agent applies its next command; its word may get lost with the connection. */
  apply(name: string, heard: boolean): void {
    const agent = this.agent(name);
    const uid = agent.inbox.shift();
    if (!agent.connected || uid === undefined) return;
    agent.applied.add(uid);
    agent.owed.delete(uid);
    if (uid.startsWith('revalidate-')) {
      agent.stale = false;
      agent.owed.delete('stale');
    }
    if (heard) {
      this.#carry(this.leader.done(name, uid, 1));
      this.#carry(this.leader.done(name, uid, 1));
    } else this.disconnect(name);
  }

  fail(name: string): void {
    const { connected, inbox } = this.agent(name);
    const uid = inbox.shift();
    if (connected && uid !== undefined) this.#carry(this.leader.failed(name, uid));
  }

  tick(seconds: number): void {
    this.#ending(() => this.#carry(this.leader.tick(seconds)));
    if (this.leader.now < this.presumedUntil) return;
    for (const agent of this.agents.values()) agent.presumed = false;
  }

  addJob(): void {
    this.made += 1;
    this.jobs = [...this.jobs, `job-${this.made}`];
    this.snapshot();
  }

  deleteJob(): void {
    this.#ending(() => {
      this.jobs = this.jobs.slice(1);
      this.snapshot();
    });
  }

  /** The folder may have changed while no operator looked. */
  restart(losesJob: boolean): void {
    this.#ending(() => {
      if (losesJob) this.jobs = this.jobs.slice(1);
      for (const agent of this.agents.values()) {
        // Those that were still awaited are awaited from the next leader too.
        Object.assign(agent, { presumed: agent.connected || agent.presumed, connected: false, inbox: [] });
      }
      this.leader = new Leader(restoredStatuses(this.written, 'test'), this.leader.now + 1_000);
      this.presumedUntil = this.leader.now + 30_000;
      this.snapshot();
    });
  }

  outcome(uid: string) {
    return this.leader.state.jobs.get(uid)?.outcome?.type;
  }

  row(name: string): NodeRow | undefined {
    return this.view.find(({ node }) => node === name);
  }

  #unfinished(): string[] {
    return this.jobs.map((name) => `uid-${name}`).filter((uid) => this.outcome(uid) === undefined);
  }

  /** Jobs that end in this step leave those stale that never applied them. */
  #ending(step: () => void): void {
    const before = this.#unfinished();
    step();
    for (const uid of before.filter(
      (uid) => !this.#unfinished().includes(uid) && this.outcome(uid) !== 'Complete',
    )) {
      for (const agent of this.agents.values()) {
        if (!agent.applied.has(uid)) agent.stale = true;
        if (agent.owed.delete(uid)) agent.owed.add('stale');
      }
    }
  }

  /** Effects reach who they are for, and what is to survive is written down. */
  #carry(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'command') this.agent(effect.node).inbox.push(effect.command.uid);
      if (effect.type !== 'table') continue;
      this.view = mergeTables(
        { ...EMPTY_TABLE, rows: this.view },
        { ...EMPTY_TABLE, rows: [...effect.rows] },
      ).rows;
    }
    this.written = statusesOf(this);
  }
}

function statusesOf({ leader, jobs, written }: World): Statuses {
  const { nodes, jobs: all } = snapshot(NODES, jobs);
  const resources = new Map(
    [...nodes, ...all].map((resource): [string, AcceptedResource] => [
      resourceKey(refOf(resource)),
      { file: 'x.yaml', current: true, resource },
    ]),
  );
  return statuses({
    holdings: NO_HOLDINGS,
    admission: {
      config: undefined,
      problems: [],
      snapshot: snapshot([]),
      accepted: { config: undefined, resources },
      quarantined: new Map(),
    },
    publication: startPublication(1, new Map(), 'run'),
    state: leader.state,
    before: written,
    now: leader.now,
  }).records;
}

type Step = (world: World) => void;
const name = fc.constantFrom(...NODES);
const ofNode = (step: (world: World, node: string) => void) =>
  name.map(
    (node): Step =>
      (world) =>
        step(world, node),
  );
const step: fc.Arbitrary<{ what: string; run: Step }> = fc.oneof(
  ...Object.entries({
    connect: { weight: 6, of: ofNode((world, node) => world.connect(node)) },
    resume: { weight: 2, of: ofNode((world, node) => world.resume(node)) },
    disconnect: { weight: 3, of: ofNode((world, node) => world.disconnect(node)) },
    apply: { weight: 8, of: ofNode((world, node) => world.apply(node, true)) },
    applyUnheard: { weight: 1, of: ofNode((world, node) => world.apply(node, false)) },
    fail: { weight: 1, of: ofNode((world, node) => world.fail(node)) },
    addJob: { weight: 3, of: fc.constant<Step>((world) => world.addJob()) },
    deleteJob: { weight: 1, of: fc.constant<Step>((world) => world.deleteJob()) },
    tick: {
      weight: 3,
      of: fc.integer({ min: 1, max: 150 }).map(
        (s): Step =>
          (world) =>
            world.tick(s),
      ),
    },
    restart: {
      weight: 1,
      of: fc.boolean().map(
        (loses): Step =>
          (world) =>
            world.restart(loses),
      ),
    },
  }).map(([what, { weight, of }]) => ({ weight, arbitrary: of.map((run) => ({ what, run })) })),
);

function checkAll(world: World): void {
  for (const [uid, { outcome, objects }] of world.leader.state.jobs) {
    if (outcome?.type !== 'Complete') continue;
    for (const agent of world.agents.values()) expect(agent.applied).toContain(uid);
    expect(objects).toBeLessThanOrEqual(NODES.length);
  }
  for (const record of world.written.values()) {
    const status = statusOf(record, 'PurgeJob');
    if (status?.conditions?.some(({ type, status: is }) => type === 'Complete' && is === 'True')) {
      expect(status.objects).toBe(NODES.length);
    }
  }
  for (const [node, agent] of world.agents) {
    if (agent.owed.size > 0)
      expect(world.row(node)?.admitted ?? false, `${node} owes ${[...agent.owed].join(', ')}`).toBe(false);
  }
}

test('purges are provable, and silence withdraws nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const world = new World();
      world.snapshot();
      for (const { what, run } of steps) {
        const before = world.view;
        const cutOff = NODES.filter((node) => !world.agent(node).connected);
        run(world);
        checkAll(world);
        if (['disconnect', 'restart', 'resume'].includes(what)) expect(world.view).toEqual(before);
        // Only what a node says, or a job that ends while it is connected, changes its row.
        if (what === 'connect' || what === 'apply') continue;
        for (const row of before.filter((old) => cutOff.includes(old.node)))
          expect(world.row(row.node)).toEqual(row);
      }
    }),
    { seed: 20_261_122, numRuns: 400 },
  );
});

test('an operator that lost all it knew changes no row of a node before that node settled with it', () => {
  const live = fc.array(fc.tuple(fc.constantFrom('connect', 'done', 'ack', 'disconnect', 'tick'), name), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(live, (steps) => {
      const leader = new Leader();
      leader.snapshot(NODES);
      const done = new Set<string>();
      const acked = new Set<string>();
      for (const [what, node] of steps) {
        if (what === 'connect') leader.connect(node, 9, 9);
        if (what === 'disconnect') leader.disconnect(node);
        if (what === 'tick') leader.tick(3_600);
        if (what === 'ack') {
          // Before it connects, its word may be one that waited for another operator.
          if (leader.state.nodes.get(node)?.connected) acked.add(node);
          leader.ack(node, 10, 1);
        }
        if (what === 'done' && leader.state.nodes.get(node)?.heard) {
          leader.done(node, leader.revalidation(node) ?? '');
          done.add(node);
        }
        const settled = NODES.filter((row) => done.has(row) && acked.has(row));
        expect(leader.state.rows.map((row) => row.node)).toEqual(settled);
      }
    }),
    { seed: 20_261_122, numRuns: 200 },
  );
});

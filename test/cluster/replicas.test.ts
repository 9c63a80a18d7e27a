/**
 * Three replicas of the operator on a real Kubernetes API: with a Redis between them, and without. Whoever is killed,
 * and whenever: a purge ends, counted once per node, and no answer changes.
 */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { type RedisServer, startRedis } from '../../operator/testing/redis-server.ts';
import { addresses, CLIENTS, get, keptByBrowsers } from '../system/client.ts';
import { type CountingOrigin, startCountingOrigin } from '../system/counting-origin.ts';
import { EDGES, Program, prepareSystem, purgeJob, type System } from '../system/programs.ts';
import { type Cluster, startCluster } from './cluster.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'kubernetes');
/** A Lease is good for 15 s, and agents look for a leader at least every 10 s. */
const FAILOVER_MS = 40_000;
const ANSWERS = { beijing: '127.0.1.1', zhengzhou: '127.0.2.1', california: '127.0.3.1' } as const;

let cluster: Cluster;
let origin: CountingOrigin;
let redis: RedisServer;
let kubeconfig: string;

beforeAll(async () => {
  cluster = await startCluster();
  origin = await startCountingOrigin();
  redis = await startRedis();
}, 900_000);
afterAll(async () => {
  await redis.stop();
  await origin.stop();
  await cluster.stop();
});

/** A system whose operator is three processes. */
class Fleet {
  readonly system: System;
  readonly ports: number[];
  readonly #config: string;
  readonly #watching = new AbortController();
  readonly #killed = new Set<number>();
  /** Answers that were not what they always are, and questions that nobody answered. */
  readonly changes: string[] = [];

  static async start(settings: Record<string, unknown>): Promise<Fleet> {
    const ports = [await freePort(), await freePort(), await freePort()];
    const operators = ports.map((port) => `https://127.0.0.1:${port}`).join(',');
    const system = await prepareSystem({ operators });
    await mkdir(system.folder, { recursive: true });
    const config = join(system.folder, 'cluster.yaml');
    const example = parse(readFileSync(join(EXAMPLE, 'settings', 'weir.yaml'), 'utf8'));
    await writeFile(config, stringify({ ...example, ...settings }));
    const fleet = new Fleet(system, ports, config);
    await fleet.apply('rbac.yaml', 'demo.yaml', 'nodes.yaml');
    kubeconfig = await cluster.kubeconfigOf('weir-operator', 'weir-system');
    for (const index of ports.keys()) fleet.startReplica(index);
    system.startDns();
    for (const { name } of EDGES) system.startEdge(name);
    try {
      await eventually(async () => expect(await fleet.answers()).toEqual(ANSWERS), 2 * FAILOVER_MS);
      await fleet.heal();
      return fleet;
    } catch (error) {
      const logs = [...system.programs].map(([name, { log }]) => `${name}:\n${log.slice(-3_000)}`);
      throw new Error(logs.join('\n'), { cause: error });
    }
  }

  private constructor(system: System, ports: number[], config: string) {
    this.system = system;
    this.ports = ports;
    this.#config = config;
  }

  async apply(...files: string[]): Promise<void> {
    const documents = files.flatMap((file) =>
      parseAllDocuments(
        readFileSync(join(EXAMPLE, file), 'utf8')
          .replaceAll('8080', String(this.system.ports.http))
          .replaceAll('8800', String(origin.port))
          // An edge that is held still for a moment is not to be called down.
          .replaceAll('interval: 1s', 'interval: 10s'),
      ).map((document) => z.record(z.string(), z.unknown()).parse(document.toJS())),
    );
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], documents);
  }

  startReplica(index: number): void {
    const flags = {
      source: 'kubernetes',
      kubeconfig,
      config: this.#config,
      state: this.system.state.root,
      listen: `127.0.0.1:${this.ports[index]}`,
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    this.system.programs.set(`operator-${index}`, new Program('operator/main.ts', args));
  }

  /** Which replica leads, as the Lease says. */
  async leader(): Promise<number> {
    const lease = JSON.parse(
      await cluster.kubectl(['get', 'lease', 'weir-operator', '-n', 'weir-system', '-o', 'json']),
    );
    const address = lease.metadata.annotations['cdn.weir.dev/address'] as string;
    return this.ports.findIndex((port) => address === `https://127.0.0.1:${port}`);
  }

  async kill(index: number): Promise<void> {
    this.#killed.add(index);
    await this.system.programs.get(`operator-${index}`)?.stop('SIGKILL');
  }

  /** Everybody lives again, whatever a test did to them. */
  async heal(): Promise<void> {
    for (const { name } of EDGES) this.system.programs.get(name)?.signal('SIGCONT');
    for (const index of this.#killed) this.startReplica(index);
    this.#killed.clear();
    await eventually(async () => {
      // What the Lease says may be of one that was killed a moment ago.
      expect(await this.metric(await this.leader(), 'weir_operator_plan_epoch')).toBeGreaterThan(0);
      for (const index of this.ports.keys()) expect(await this.readiness(index)).toBe('200 ok\n');
    }, FAILOVER_MS);
    await eventually(() => this.edgesConnected(), FAILOVER_MS);
  }

  /** 0 for one that is not there. */
  async metric(index: number, name: string): Promise<number> {
    const { body } = await request(`http://127.0.0.1:${this.ports[index]}/metrics`);
    const [, value = '0'] = new RegExp(`^${name} (\\S+)$`, 'm').exec(await body.text()) ?? [];
    return Number(value);
  }

  /** By replica, the agents whose streams it holds. */
  streams(): Promise<number[]> {
    return Promise.all(this.ports.map((_, index) => this.metric(index, 'weir_operator_streams')));
  }

  async restartEdge(name: string): Promise<void> {
    await this.system.programs.get(name)?.stop();
    this.system.startEdge(name);
    await eventually(async () => {
      const streams = await this.streams();
      expect(streams.reduce((sum, count) => sum + count)).toBe(4);
    });
  }

  async readiness(index: number): Promise<string> {
    const { statusCode, body } = await request(`http://127.0.0.1:${this.ports[index]}/readyz`);
    return `${statusCode} ${await body.text()}`;
  }

  async answers() {
    const near = async (client: keyof typeof CLIENTS) =>
      (await addresses(this.system.ports.dns, CLIENTS[client])).join();
    return {
      beijing: await near('beijing'),
      zhengzhou: await near('zhengzhou'),
      california: await near('california'),
    };
  }

  /** Asks on and on until `unwatch`. */
  watch(): void {
    const { signal } = this.#watching;
    void (async () => {
      while (!signal.aborted) {
        const answers = await this.answers().catch((error: unknown) => String(error));
        if (JSON.stringify(answers) !== JSON.stringify(ANSWERS)) this.changes.push(JSON.stringify(answers));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
  }

  async edgesConnected(): Promise<void> {
    const { items } = JSON.parse(await cluster.kubectl(['get', 'edge', '-o', 'json']));
    const connected = items.map(
      ({ status }: { status: { conditions?: { type: string; status: string }[] } }) =>
        status.conditions?.find(({ type }) => type === 'UpToDate')?.status,
    );
    expect(connected).toEqual(EDGES.map(() => 'True'));
  }

  async stop(): Promise<void> {
    this.#watching.abort();
    // The next fleet need not wait for the Lease.
    for (const index of this.ports.keys()) await this.system.programs.get(`operator-${index}`)?.stop();
    await this.system.stop();
  }
}

const jobStatus = async (name: string) =>
  JSON.parse(await cluster.kubectl(['get', 'purge', name, '-n', 'demo', '-o', 'json'])).status;
const eventsOfLease = async (): Promise<string[]> => {
  const told = ['get', 'events', '-n', 'weir-system', '--field-selector=involvedObject.kind=Lease'];
  const { items } = JSON.parse(await cluster.kubectl([...told, '--sort-by=eventTime', '-o', 'json']));
  return items.map(({ type, reason }: Record<string, string>) => `${type} ${reason}`);
};
const createJob = (name: string) =>
  cluster.kubectl(['create', '-f', '-'], [purgeJob(name, { everything: true })]);
const complete = (name: string) =>
  eventually(async () => {
    const { conditions, nodes } = await jobStatus(name);
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Complete', status: 'True' }));
    expect(nodes).toEqual({ targeted: 3, acked: 3, failed: 0 });
  }, FAILOVER_MS);

let fleet: Fleet;
let jobs = 0;

const acked = (name: string, nodes: number) =>
  eventually(async () => expect(await jobStatus(name)).toMatchObject({ nodes: { acked: nodes } }));

async function cached(path: string): Promise<void> {
  for (const { address } of EDGES) expect((await get(fleet.system, address, path)).status).toBe(200);
}

interface Purge {
  /** Once the edges have something to forget. */
  before?: () => void;
  /** Once the job is there. */
  happens: (name: string) => Promise<unknown>;
}

/** A purge during which something happens; each edge has then forgotten, and nobody was told another answer. */
async function purgeWhile({ before = () => {}, happens }: Purge): Promise<void> {
  jobs += 1;
  const [path, name] = [`/${jobs}`, `purge-${jobs}`];
  await cached(path);
  const fetched = origin.count(path);
  before();
  await createJob(name);
  await happens(name);
  await complete(name);
  await cached(path);
  expect(origin.count(path)).toBe(fetched + 3);
  expect(fleet.changes).toEqual([]);
}

describe.each([
  ['with a Redis between them', true],
  ['without a Redis', false],
])('three replicas %s', (_what, withRedis) => {
  beforeAll(async () => {
    fleet = await Fleet.start(withRedis ? { redis: { url: redis.url } } : {});
    fleet.watch();
  }, 200_000);
  afterAll(() => fleet.stop());
  beforeEach(() => {
    fleet.changes.length = 0;
  });
  afterEach(() => fleet.heal(), 120_000);

  test('are ready, one leads, and the agents are where they are served', async () => {
    const leader = await fleet.leader();
    const epochs = await Promise.all(
      [0, 1, 2].map((index) => fleet.metric(index, 'weir_operator_plan_epoch')),
    );
    expect(epochs.map((epoch) => epoch > 0)).toEqual([0, 1, 2].map((index) => index === leader));
    const streams = await fleet.streams();
    if (withRedis) {
      expect(streams.reduce((sum, count) => sum + count)).toBe(4);
      // By chance they may all have come to one: then one of them goes elsewhere.
      while ((await fleet.streams())[leader] === 4) await fleet.restartEdge('bj-1');
    } else expect(streams).toEqual([0, 1, 2].map((index) => (index === leader ? 4 : 0)));
  }, 120_000);

  test.each([0, 300])(
    'the leader is killed %i ms after a purge was made: it completes, counted once, and no answer changes',
    async (after) => {
      const before = await fleet.leader();
      await purgeWhile({
        async happens() {
          await new Promise((resolve) => setTimeout(resolve, after));
          await fleet.kill(before);
        },
      });
      await eventually(async () => expect(await fleet.leader()).not.toBe(before), FAILOVER_MS);
    },
    120_000,
  );

  test('the leader is killed when it has two acks of three', async () => {
    const leader = await fleet.leader();
    const late = fleet.system.programs.get('la-1');
    await purgeWhile({
      before: () => late?.signal('SIGSTOP'),
      async happens(name) {
        await acked(name, 2);
        late?.signal('SIGCONT');
        await fleet.kill(leader);
      },
    });
  }, 120_000);

  test('the leader is killed when it has published a plan that edges have not acked', async () => {
    const before = await fleet.leader();
    for (const { name } of EDGES) fleet.system.programs.get(name)?.signal('SIGSTOP');
    jobs += 1;
    const rules = [{ match: { pathPrefix: '/' }, ttl: '1h', browserTtl: `${70 + jobs}s` }];
    const patch = JSON.stringify({ spec: { cache: { rules } } });
    const seq = await fleet.metric(before, 'weir_operator_edge_plan_seq');
    await cluster.kubectl(['patch', 'cdn', 'video', '-n', 'demo', '--type=merge', '-p', patch]);
    await eventually(async () =>
      expect(await fleet.metric(before, 'weir_operator_edge_plan_seq')).toBeGreaterThan(seq),
    );
    await fleet.kill(before);
    for (const { name } of EDGES) fleet.system.programs.get(name)?.signal('SIGCONT');
    await eventually(async () => {
      for (const { address } of EDGES) {
        expect(keptByBrowsers(await get(fleet.system, address, `/rule-${jobs}`))).toBe(70 + jobs);
      }
    }, FAILOVER_MS);
    expect(fleet.changes).toEqual([]);
  }, 120_000);

  if (!withRedis) return;

  test('a replica is killed: its agents go to another, and the purge goes on', async () => {
    const leader = await fleet.leader();
    const streams = await fleet.streams();
    const other = streams.findIndex((count, index) => count > 0 && index !== leader);
    await purgeWhile({ happens: () => fleet.kill(other) });
    expect(await fleet.leader()).toBe(leader);
  }, 120_000);

  test('Redis is flushed in the middle of a purge', async () => {
    await purgeWhile({ happens: () => redis.cli('FLUSHALL') });
  }, 120_000);

  test('Redis is killed: the leader serves on and says so, the others are not ready; back, all is as before', async () => {
    const leader = await fleet.leader();
    const streams = await fleet.streams();
    await purgeWhile({
      async happens() {
        await redis.kill();
        await eventually(async () => {
          for (const index of [0, 1, 2]) {
            expect(await fleet.readiness(index)).toMatch(
              index === leader ? /^200 ok, but Redis does not answer/ : /^503 Redis does not answer/,
            );
          }
        });
        // Agents keep their streams, at whatever replica.
        expect(await fleet.streams()).toEqual(streams);
        await redis.start();
      },
    });
    await eventually(async () => {
      const reasons = await eventsOfLease();
      expect(reasons).toContain('Warning RedisUnreachable');
      expect(reasons.at(-1)).toBe('Normal RedisReachable');
    });
  }, 120_000);

  test('Redis and the leader are killed at once', async () => {
    const before = await fleet.leader();
    await purgeWhile({
      async happens() {
        await Promise.all([redis.kill(), fleet.kill(before)]);
        await eventually(async () => expect(await fleet.leader()).not.toBe(before), FAILOVER_MS);
        await redis.start();
      },
    });
  }, 120_000);
});

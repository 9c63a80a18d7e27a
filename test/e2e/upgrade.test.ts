/**
 * From the previous version of the chart to this one, then `helm upgrade` and `helm rollback`, under load: every pod is replaced, and no client that honours TTLs sees a request
 * or a query fail. The steps follow one another.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLIENTS } from './client.ts';
import { NODE_ADDRESS } from './cluster-with-node.ts';
import { type Load, startLoad } from './load.ts';
import {
  CHART,
  demo,
  localVolumes,
  NAME,
  NAMESPACE,
  soon,
  startWorld,
  TWO_DNS_SERVERS,
  VALUES,
  type World,
} from './world.ts';

const STEP = { timeout: 400_000 };
const PATHS = ['/a.bin', '/b.bin', '/c.bin'];
const ROLLOUTS = ['deployment/weir-operator', 'statefulset/weir-dns-server', 'daemonset/weir-edge'];

/**
 * Packaged with `helm package` when it was the newest; the one before it goes when a new one comes. It runs today's image here,
 * so it is one that gives the operator the rights that it needs today.
 */
const PREVIOUS_CHART = join(import.meta.dirname, 'previous', 'weir-0.1.0.tgz');

let world: World;
let load: Load;
const kubectl = (args: string[], input?: unknown[]) => world.kubectl(args, input);
/** How many requests the edge in the pod has got. */
const byThePod = () => load.tally.served[NODE_ADDRESS] ?? 0;

beforeAll(async () => {
  world = await startWorld();
}, 300_000);

afterAll(async () => {
  await load?.stop();
  await world.stop();
}, 60_000);

beforeEach(({ onTestFailed }) => onTestFailed(() => world.tellState()));

test('the previous version of the chart serves clients of three regions', STEP, async () => {
  await kubectl(['apply', '-f', '-'], localVolumes());
  await world.install(PREVIOUS_CHART, ...VALUES, ...TWO_DNS_SERVERS);
  await kubectl(['apply', '-f', '-'], demo());
  await kubectl(['wait', '--for=condition=Ready', 'cdn/video', '-n', 'demo', '--timeout=120s']);
  await world.joinMachines();
  const { zhengzhou, beijing, california } = CLIENTS;
  load = startLoad(NAME, [zhengzhou, zhengzhou, beijing, california], PATHS);
  await soon(() => expect(byThePod()).toBeGreaterThan(100));
  expect(load.tally.failures).toEqual([]);
});

test('helm upgrade to this version: nothing fails, and the edge is taken back', STEP, () =>
  allReplaced(() => world.helm('upgrade', 'weir', CHART, ...VALUES, ...TWO_DNS_SERVERS)),
);

test('helm upgrade with a changed value: the same', STEP, () => {
  const changed = ['operator', 'dnsServer', 'edge'].flatMap((name) => ['--set', `${name}.logLevel=debug`]);
  return allReplaced(() => world.helm('upgrade', 'weir', CHART, ...VALUES, ...TWO_DNS_SERVERS, ...changed));
});

test('helm rollback: the same', STEP, () => allReplaced(() => world.helm('rollback', 'weir')));

/** Every pod, with no failure; and clients come back to the edge of the pod. */
async function allReplaced(roll: () => Promise<unknown>): Promise<void> {
  const before = await podUids();
  await roll();
  await world.rolledOut(...ROLLOUTS);
  expect((await podUids()).filter((uid) => before.includes(uid))).toEqual([]);
  const served = byThePod();
  await soon(() => expect(byThePod()).toBeGreaterThan(served + 100));
  expect(load.tally.failures).toEqual([]);
}

/** Pods of a StatefulSet keep their names, so by uid. */
async function podUids(): Promise<string[]> {
  const uids = await kubectl(['get', 'pods', '-n', NAMESPACE, '-o', 'jsonpath={.items[*].metadata.uid}']);
  return uids.split(' ');
}

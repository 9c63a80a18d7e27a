/** How an agent takes a delta: what travels and is written is what changed, and what does not fit is asked for whole. */
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type StreamHost, startStreamHost } from '../operator/testing/stream-host.ts';
import { type Probe, probeEdge, published } from './testing/probe-edge.ts';

const MANY = Array.from({ length: 2_000 }, (_, index) => `d${index}`);
const SHOUTED = MANY.map((name) => (name === 'd77' ? 'changed' : name));

let folder: string;
let host: StreamHost;
const probes: Probe[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-agent-'));
  host = await startStreamHost();
});
afterEach(async () => {
  await Promise.all(probes.splice(0).map(({ agent }) => agent.stop()));
  await host.stop();
  await rm(folder, { recursive: true });
});

const planFile = () => join(folder, 'edge', 'plan.json');
const journal = () => `${planFile()}.journal`;
const seen = (line: string) => eventually(() => expect(host.seen).toContain(line));

async function start(): Promise<Probe> {
  const probe = await probeEdge(folder, host);
  probes.push(probe);
  await probe.agent.load();
  probe.agent.connect();
  return probe;
}

/** An agent that holds the first plan and then the changed one. */
async function changed(): Promise<Probe> {
  host.publish(published(1, MANY));
  const probe = await start();
  await seen('ack a 3.1');
  host.publish(published(2, SHOUTED));
  await seen('ack a 3.2');
  return probe;
}

async function restarted(): Promise<Probe> {
  await probes.pop()?.agent.stop();
  const probe = await probeEdge(folder, { ...host, url: 'https://127.0.0.1:1' });
  await probe.agent.load();
  return probe;
}

test('a change of one domain among two thousand is one row, on the line and on disk', async () => {
  const probe = await changed();
  expect(probe.inForce).toEqual(SHOUTED);
  expect(probe.agent.held()).toEqual(published(2, SHOUTED));
  const written = await stat(journal());
  expect(written.size).toBeLessThan(1_000);
  expect(JSON.parse(await readFile(planFile(), 'utf8')).revision.seq).toBe(1);
});

test('and is in force again after a restart with no operator', async () => {
  await changed();
  const probe = await restarted();
  expect([probe.committed, probe.agent.held()]).toEqual([['3.2'], published(2, SHOUTED)]);
});

describe('a journal that', () => {
  test('ends in a torn line gives what stands before it', async () => {
    await changed();
    await probes[0]?.agent.stop();
    await appendFile(journal(), (await readFile(journal(), 'utf8')).slice(0, 100));
    expect((await restarted()).committed).toEqual(['3.2']);
  });

  test('was left beside a newer file is passed over', async () => {
    await changed();
    await probes[0]?.agent.stop();
    await writeFile(planFile(), JSON.stringify(published(9, MANY)));
    expect((await restarted()).committed).toEqual(['3.9']);
  });

  test('is damaged leaves the plan that the file has', async () => {
    await changed();
    await probes[0]?.agent.stop();
    await writeFile(
      journal(),
      (await readFile(journal(), 'utf8')).replace('changed.example', 'forged.example'),
    );
    const probe = await restarted();
    expect([probe.committed, probe.inForce]).toEqual([['3.1'], MANY]);
  });
});

test('an operator that started anew sends an agent of equal content nothing but the revision', async () => {
  host.publish(published(1, MANY));
  const probe = await start();
  await seen('ack a 3.1');
  const { port } = host;
  await host.stop();
  host = await startStreamHost({ port });
  const again = { ...published(1, MANY, 4), run: 'run-2' };
  host.publish(again);
  await seen('ack a 4.1');
  expect(host.seen[0]).toBe('connect a 3.1');
  expect([probe.committed, probe.agent.held()]).toEqual([['3.1'], again]);
  expect((await stat(journal())).size).toBeLessThan(600);
});

test('a delta that leads elsewhere is answered with `unmatched`, and the whole plan comes', async () => {
  host.publish(published(1, MANY));
  const probe = await start();
  await seen('ack a 3.1');
  // What the operator takes for the content of this digest is not what the agent has.
  host.publish({ ...published(2, SHOUTED), digest: published(1, MANY).digest });
  await seen('ack a 3.2');
  const next = SHOUTED.map((name) => (name === 'd99' ? 'other' : name));
  host.publish(published(3, next));
  await seen('ack a 3.3');
  expect(host.seen).toContain('unmatched a 3.3');
  expect(probe.inForce).toEqual(next);
});

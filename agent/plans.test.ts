/** How an agent takes a plan: checked, prepared, durable, in force, and only then acked; or refused, and nothing lost. */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PublishedEdgePlan, PublishedPlan } from '../contract/plans/published-plan.ts';
import { silentLog } from '../lib/log.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { type StreamHost, startStreamHost } from '../operator/testing/stream-host.ts';
import { LocalFault } from './agent.ts';
import { readHeldPlan } from './held-files.ts';
import { type Probe, probeEdge, published } from './testing/probe-edge.ts';

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

async function start(changes: Parameters<typeof probeEdge>[2] = {}): Promise<Probe> {
  const probe = await probeEdge(folder, host, changes);
  probes.push(probe);
  await probe.agent.load();
  probe.agent.connect();
  return probe;
}

const seen = (line: string) => eventually(() => expect(host.seen).toContain(line));
const onDisk = () =>
  readHeldPlan({ role: 'edge', folder: join(folder, 'edge'), merge: (_, newer) => newer, log: silentLog });
const nack = () =>
  eventually(() => host.reports.find((report) => report.type === 'nack') ?? expect.fail('no nack'));

describe('a plan', () => {
  test('is on disk before it is in force, and in force before it is acked', async () => {
    const plan = published(1, ['video']);
    host.publish(plan);
    const steps: string[] = [];
    const probe = await start({
      prepare: async ({ revision }) => {
        steps.push('prepare');
        return () => {
          const text = readFileSync(join(folder, 'edge', 'plan.json'), 'utf8');
          const written = JSON.parse(text).revision.seq === revision.seq;
          steps.push(`commit ${written} ${host.seen.includes('ack a 3.1')}`);
        };
      },
    });
    await seen('ack a 3.1');
    expect(steps).toEqual(['prepare', 'commit true false']);
    expect(probe.agent.held()).toEqual(plan);
    expect(await onDisk()).toEqual(plan);
  });

  test('equal in content gets its new revision written down, and is not prepared again', async () => {
    host.publish(published(1, ['video']));
    const probe = await start();
    await seen('ack a 3.1');
    host.publish(published(2, ['video']));
    await seen('ack a 3.2');
    expect(probe.committed).toEqual(['3.1']);
    expect(await onDisk()).toMatchObject({ revision: { epoch: 3, seq: 2 } });
  });

  test('that comes while one is prepared waits, and of many only the newest is prepared', async () => {
    host.publish(published(1, ['one']));
    const slow: (() => void)[] = [];
    const probe = await start({
      prepare: async ({ plan }) => {
        await new Promise<void>((resolve) => slow.push(resolve));
        return () => void probe.inForce.push(plan.domains[0]?.name ?? '');
      },
    });
    await eventually(() => expect(slow).toHaveLength(1));
    for (const seq of [2, 3, 4]) host.publish(published(seq, [`plan-${seq}`]));
    slow[0]?.();
    await eventually(() => expect(slow).toHaveLength(2));
    slow[1]?.();
    await seen('ack a 3.4');
    expect(probe.inForce).toEqual(['one', 'plan-4']);
    expect(host.seen).toEqual(['connect a 0.0', 'ack a 3.1', 'ack a 3.4']);
  });

  test('is merged with the one held before it is written', async () => {
    host.publish(published(1, ['video']));
    const merge = (held: PublishedEdgePlan, newer: PublishedEdgePlan) => ({ ...newer, run: held.run });
    await start({ merge });
    await seen('ack a 3.1');
    host.publish({ ...published(2, ['www']), run: 'run-2' });
    await seen('ack a 3.2');
    const held = await readHeldPlan({ role: 'edge', folder: join(folder, 'edge'), merge, log: silentLog });
    expect(held).toEqual(published(2, ['www']));
  });
});

describe('a plan is refused, and the one held stays,', () => {
  const good = published(1, ['video']);
  const cases: [string, 'Invalid' | 'Local', PublishedPlan, RegExp][] = [
    [
      'when its digest is another',
      'Invalid',
      { ...published(2, ['www']), digest: '0'.repeat(64) },
      /digest is/,
    ],
    [
      'when it breaks the schema',
      'Invalid',
      { ...published(2, ['www']), plan: { domains: [{}] } } as never,
      /domains/,
    ],
    ['when its revision is lower', 'Local', published(9, ['www'], 2), /2\.9 is lower than 3\.1/],
  ];

  test.each(cases)('%s (%s)', async (_why, fault, bad, message) => {
    host.publish(good);
    const probe = await start();
    await seen('ack a 3.1');
    host.publish(bad);
    expect(await nack()).toMatchObject({
      fault,
      revision: bad.revision,
      message: expect.stringMatching(message),
    });
    expect([probe.inForce, probe.committed, await onDisk()]).toEqual([['video'], ['3.1'], good]);
  });

  test.each([
    ['Invalid', new Error('no such thing')],
    ['Local', new LocalFault('no memory')],
    ['Local', Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })],
  ] as const)('when it can not be prepared (%s)', async (fault, error) => {
    host.publish(good);
    let failing = false;
    const probe = await start({
      prepare: async () => {
        if (failing) throw error;
        return () => {};
      },
    });
    await seen('ack a 3.1');
    failing = true;
    host.publish(published(2, ['www']));
    expect(await nack()).toMatchObject({ fault, message: error.message });
    expect([probe.agent.held(), await onDisk()]).toEqual([good, good]);
  });

  test('when it can not be written (Local), and it is taken when the disk is well again', async () => {
    // Root may write anywhere, so a folder that stands where the file belongs is the broken disk.
    await mkdir(join(folder, 'edge', 'plan.json'), { recursive: true });
    host.publish(good);
    const probe = await start();
    expect(await nack()).toMatchObject({ fault: 'Local', revision: good.revision });
    expect([probe.inForce, probe.agent.held()]).toEqual([[], undefined]);
    await rm(join(folder, 'edge', 'plan.json'), { recursive: true });
    host.clock.advance(10_000);
    await seen('ack a 3.1');
    expect(probe.inForce).toEqual(['video']);
  });
});

describe('an agent that is ended', () => {
  /** As after kill -9: nothing more is done, what lies on disk is what the next one finds. */
  async function restarted(): Promise<Probe> {
    const probe = await probeEdge(folder, host);
    await probe.agent.load();
    return probe;
  }

  test('while it prepares finds the plan that it held', async () => {
    host.publish(published(1, ['video']));
    let prepared = 0;
    await start({
      prepare: async () => {
        prepared += 1;
        if (prepared > 1) await finish;
        return () => {};
      },
    });
    await seen('ack a 3.1');
    host.publish(published(2, ['www']));
    await eventually(() => expect(prepared).toBe(2));
    expect((await restarted()).inForce).toEqual(['video']);
    release();
  });

  test('between the write and the ack finds the new plan, and says so when it connects', async () => {
    host.publish(published(1, ['video']));
    let after: Promise<Probe> | undefined;
    await start({
      // The swap comes behind the write and before the ack.
      prepare: async () => () => {
        after ??= restarted();
        host.switchboard.end({ role: 'edge', node: 'a' });
      },
    });
    await eventually(() => expect(after).toBeDefined());
    expect((await after)?.inForce).toEqual(['video']);
    await seen('connect a 3.1');
  });

  let release = () => {};
  const finish = new Promise<void>((resolve) => {
    release = resolve;
  });
});

describe('with no operator, an agent', () => {
  const NOWHERE = 'https://127.0.0.1:1';

  async function alone(): Promise<Probe> {
    const probe = await probeEdge(folder, { ...host, url: NOWHERE });
    await probe.agent.load();
    return probe;
  }

  test('starts from its disk', async () => {
    host.publish(published(4, ['video']));
    await start();
    await seen('ack a 3.4');
    const probe = await alone();
    expect([probe.inForce, probe.committed]).toEqual([['video'], ['3.4']]);
    expect(probe.agent.connected()).toBe(false);
  });

  test.each(['{', '{}', ''])(
    'starts empty when its plan is corrupt (%j), and takes the next one',
    async (text) => {
      await mkdir(join(folder, 'edge'));
      await writeFile(join(folder, 'edge', 'plan.json'), text);
      host.publish(published(4, ['video']));
      const probe = await start();
      await seen('ack a 3.4');
      expect(host.seen[0]).toBe('connect a 0.0');
      expect(probe.inForce).toEqual(['video']);
    },
  );

  test('does not take a plan whose content was changed on disk', async () => {
    host.publish(published(4, ['video']));
    await start();
    await seen('ack a 3.4');
    const path = join(folder, 'edge', 'plan.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('192.0.2.1', '192.0.2.9'));
    const probe = await alone();
    expect([probe.inForce, probe.agent.held()]).toEqual([[], undefined]);
  });
});

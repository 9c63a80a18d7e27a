/** The edge as a process of its own, as others start it: its plan on its disk, no operator. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { domainOf, fetchFrom } from './test-edge.ts';

/** On a machine that has much else to do. */
const START_WITHIN_MS = 60_000;
/** Characters of its log. */
const LOG_KEPT = 4_000;

export interface EdgeProcess {
  state: string;
  port: number;
  admin: number;
  /** The process that runs now. */
  child(): ChildProcess;
  /** Starts it (again), and waits until it answers. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Kills it where it runs, and removes its state. */
  remove(): Promise<void>;
}

/** What a test puts around the process. */
export interface Around {
  env?: (state: string) => Record<string, string>;
  /** Its cache lies on a disk of its own, of this size (`16m`), which nobody else sees and which ends with it; for root. */
  cacheDisk?: string;
}

export async function edgeProcess(
  originUrl: string,
  further: { disk?: string; memory?: string; drain?: string; settings?: string } = { disk: '2GiB' },
  { env, cacheDisk }: Around = {},
): Promise<EdgeProcess> {
  const state = await mkdtemp(join(tmpdir(), 'weir-edge-'));
  const port = await freePort();
  const admin = await freePort();
  const plan = { domains: [domainOf(originUrl)] };
  const published = { revision: { epoch: 1, seq: 1 }, digest: planDigest(plan), run: 'run-1', plan };
  await writeFile(join(state, 'plan.json'), JSON.stringify(published));
  const options = {
    node: 'zz-1',
    operator: 'https://127.0.0.1:1',
    state,
    listen: `127.0.0.1:${port}`,
    admin: `127.0.0.1:${admin}`,
    ...further,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const answers = () => fetchFrom(port, '/.weir/health', { host: 'any' });
  // The last one to listen.
  const isUp = () => Promise.all([answers(), fetchFrom(admin, '/healthz', { host: 'admin' })]);
  const begin = async () => {
    const begun = fork(join(import.meta.dirname, '../main.ts'), flags, {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      ...(env && { env: { ...process.env, ...env(state) } }),
      ...(cacheDisk && onDiskOfItsOwn(join(state, 'cache'), cacheDisk)),
    });
    await Promise.race([eventually(isUp, START_WITHIN_MS), endOf(begun)]);
    return begun;
  };
  let child = await begin();

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
    // Its workers end behind it.
    await eventually(() => expect(answers()).rejects.toThrow());
  }

  return {
    state,
    port,
    admin,
    child: () => child,
    async start() {
      child = await begin();
    },
    kill,
    async remove() {
      await kill();
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** One that ends before it answers is not waited for; its log says why. */
async function endOf(child: ChildProcess): Promise<never> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-LOG_KEPT);
    if (process.env.WEIR_TEST_LOG) process.stdout.write(chunk);
  });
  const [code, signal] = await once(child, 'exit');
  throw new Error(`the edge ended (${code ?? signal}): ${said}`);
}

/** A tmpfs in a mount namespace of the process. */
function onDiskOfItsOwn(folder: string, size: string) {
  const script = `mkdir -p ${folder} && mount -t tmpfs -o size=${size} tmpfs ${folder} && exec "$NODE" "$0" "$@"`;
  return {
    execPath: 'unshare',
    execArgv: ['--mount', 'sh', '-c', script],
    env: { ...process.env, NODE: process.execPath },
  };
}

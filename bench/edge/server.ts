/** A cache to be measured: how it is started, in a folder of its own, before one origin. */
import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { testCa } from '../../edge/testing/certificates.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import type { Case } from './cases.ts';

/** The host of every request; our edge knows its domains by it. */
export const HOST = 'bench.example.com';

export interface BenchCertificate {
  /** Of the secret that it comes in. */
  name: string;
  value: string;
  chain: string;
  key: string;
}

export interface Setup {
  /** Empty, and its own. */
  folder: string;
  port: number;
  /** ECDSA on P-256. */
  tls: { port: number; certificate: BenchCertificate };
  originPort: number;
  /** What it answers with 200 once it serves. */
  probe?: string;
}

export interface Server {
  name: string;
  tier: 'memory' | 'disk' | 'both';
  /** Fetches that fill its caches before a case; two where nothing is said. */
  warmUps?: number;
  /** The cases of its tier in which it has a part; all, where nothing is said. */
  takes?(of: Case): boolean;
  /** Writes its configuration, and gives the command. */
  command(setup: Setup): Promise<{ file: string; args: string[]; env?: Record<string, string> }>;
}

export interface Running {
  server: Server;
  port: number;
  tlsPort: number;
  pid: number;
  stop(): Promise<void>;
}

/** On one core, so that capacity is what one core does. */
export async function start(server: Server, setup: Setup, core: number): Promise<Running> {
  const { file, args, env } = await server.command(setup);
  const child = spawn('taskset', ['-c', String(core), file, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, ...env },
  });
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = `${said}${text.toString()}`.slice(-2_000);
  });
  await untilItServes(setup, child, () => said);
  if (child.pid === undefined) throw new Error(`${server.name} has no pid`);
  return { server, port: setup.port, tlsPort: setup.tls.port, pid: child.pid, stop: () => stopGroup(child) };
}

/** Some of them start children of their own: the group goes. */
async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGTERM');
  await Promise.race([ended, wait(5_000)]);
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

const START_MS = 20_000;

async function untilItServes(
  { port, probe = '/1k' }: Setup,
  child: ChildProcess,
  said: () => string,
): Promise<void> {
  for (const until = Date.now() + START_MS; Date.now() < until; await wait(50)) {
    if (child.exitCode !== null) break;
    if (await serves(port, probe)) return;
  }
  throw new Error(`does not serve on ${port}: ${child.spawnargs.join(' ')}\n${said()}`);
}

/** Some accept before they can serve. */
function serves(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path, headers: { host: HOST }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

/** One certificate for all that take part. */
const issued = testCa().then((ca) => ca.issue('bench/bench', [HOST, '127.0.0.1']));

export async function tlsSetup(): Promise<Setup['tls']> {
  return { port: await freePort(), certificate: await issued };
}

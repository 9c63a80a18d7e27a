/** A server under way on the first core, and what /proc tells of it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../lib/testing/free-port.ts';
import type { Server } from './server.ts';
import { type World, ZONE } from './world.ts';

const run = promisify(execFile);
const CLOCK_TICKS_PER_SECOND = 100;
const START_ATTEMPTS = 600;
const ATTEMPT_MS = 100;

export interface Running {
  server: Server;
  port: number;
  child: ChildProcess;
}

export async function start(
  server: Server,
  folder: string,
  world: World,
  healthPort: number,
): Promise<Running> {
  await mkdir(folder);
  const port = await freePort();
  const [command = '', ...args] = await server.prepare(folder, port, world, healthPort);
  const child = spawn('taskset', ['-c', '0', command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = (errors + String(chunk)).slice(-2_000);
  });
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    if (child.exitCode !== null) throw new Error(errors);
    if (await (server.ready ?? answers)(port, world.names.at(-1) ?? ZONE)) return { server, port, child };
    await sleep(ATTEMPT_MS);
  }
  await end(child);
  throw new Error(`no answer in a minute; ${errors}`);
}

/** Whether it gives two addresses for the name: a server that answers something else would win any race. */
async function answers(port: number, name: string): Promise<boolean> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), ...DIG, name]).catch(() => ({
    stdout: '',
  }));
  return stdout.split('\n').filter((line) => line.startsWith('127.1.')).length === 2;
}

const DIG = ['+short', '+tries=1', '+time=1'];

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([exited, sleep(5_000)]);
  child.kill('SIGKILL');
}

/** User and system time of all threads (proc(5), fields 14 and 15). */
export async function cpuSeconds({ child }: Running): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

export async function residentMiB({ child }: Running): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

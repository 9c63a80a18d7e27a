import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../testing/run-weir.ts';

const PROGRAM = join(import.meta.dirname, 'testing/told.ts');
let notes: string;
let children: number[] = [];

beforeEach(async () => {
  notes = join(await temporaryFolder({ notes: '' }), 'notes');
});
afterEach(() => {
  for (const pid of children) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already, as most do.
    }
  }
  children = [];
});

const noted = async (...lines: string[]) =>
  vi.waitFor(async () => expect((await readFile(notes, 'utf8')).trim().split('\n')).toEqual(lines), {
    timeout: 10_000,
    interval: 20,
  });

test('the first signal stops; one that comes with it is the same press of Ctrl-C; a later one kills', async () => {
  const child = spawn(process.execPath, [PROGRAM, notes], { stdio: 'ignore' });
  children.push(child.pid ?? 0);
  await noted('ready');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  await noted('ready', 'told');
  const ended = once(child, 'exit');
  const pressing = setInterval(() => child.kill('SIGINT'), 100);
  const [code] = await ended;
  clearInterval(pressing);
  expect(code).toBe(1);
  await noted('ready', 'told', 'kill');
});

test('when the npm that started it is gone, it stops', async () => {
  // The middle one starts the program, tells its process id, and is killed.
  const middle = `
    const child = require('node:child_process').spawn(process.execPath, process.argv.slice(1), { stdio: 'ignore' });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['-e', middle, PROGRAM, notes], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, npm_lifecycle_event: 'start' },
  });
  const [pid] = await once(parent.stdout, 'data');
  children.push(Number(String(pid)));
  await noted('ready');
  parent.kill('SIGKILL');
  await noted('ready', 'told');
});

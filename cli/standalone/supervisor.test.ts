/** The supervisor with real processes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { temporaryFolder } from '../testing/run-weir.ts';
import type { Program } from './programs.ts';
import { Supervisor } from './supervisor.ts';

let notes: string;
let lines: string[];
let supervisor: Supervisor;

beforeEach(async () => {
  notes = join(await temporaryFolder({ notes: '' }), 'notes');
  lines = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  supervisor = new Supervisor({
    log,
    env: process.env,
    logTo: 'ignore',
    restartAfter: { firstMs: 1, mostMs: 5_000 },
    killAfterMs: 300,
  });
});
afterEach(() => supervisor.stop());

const program = (name: string, behaviour: string): Program => ({
  name,
  module: 'cli/standalone/testing/program',
  args: [notes, behaviour],
  places: [],
  stage: 0,
  readyUrl: '',
});
const noted = async () => (await readFile(notes, 'utf8')).trim().split('\n');
const until = (check: () => Promise<void>) => eventually(check);
const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a program that dies is started again, with one line that says how it ended', async () => {
  supervisor.follow([program('one', 'dies')]);
  await until(async () => expect((await noted()).length).toBeGreaterThan(2));
  await supervisor.stop();
  expect(lines).toContain('one ended (exit code 3); starting again in 0.001 s');
  expect(lines).toContain('one ended (exit code 3); starting again in 0.002 s');
});

test('a program that is killed is started again', async () => {
  supervisor.follow([program('one', 'runs')]);
  await until(async () => expect(await noted()).toEqual(['start runs']));
  const { one = 0 } = supervisor.pids();
  process.kill(one, 'SIGKILL');
  await until(async () => expect(await noted()).toEqual(['start runs', 'start runs']));
  expect(supervisor.pids().one).not.toBe(one);
  expect(lines).toContain('one ended (signal SIGKILL); starting again in 0.001 s');
});

test('what changed is restarted, what is gone is stopped, what is the same is left alone', async () => {
  supervisor.follow([program('same', 'same'), program('changed', 'before'), program('gone', 'gone')]);
  await until(async () => expect(await noted()).toHaveLength(3));
  const before = supervisor.pids();
  supervisor.follow([program('same', 'same'), program('changed', 'after')]);
  await until(async () =>
    expect((await noted()).slice(3).sort()).toEqual(['SIGTERM', 'SIGTERM', 'start after']),
  );
  const after = supervisor.pids();
  expect(after.same).toBe(before.same);
  expect(after.changed).not.toBe(before.changed);
  expect(Object.keys(after)).toEqual(['same', 'changed']);
  await until(async () => expect(alive(before.gone ?? 0)).toBe(false));
});

test('stop ends all, one that is frozen and one that does not listen too', async () => {
  supervisor.follow([program('frozen', 'runs'), program('stubborn', 'stubborn')]);
  await until(async () => expect(await noted()).toHaveLength(2));
  const pids = Object.values(supervisor.pids()).map((pid) => pid ?? 0);
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  await supervisor.stop();
  expect(pids.map(alive)).toEqual([false, false]);
  expect(await noted()).toContain('SIGTERM');
});

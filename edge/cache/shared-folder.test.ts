/** Who may use the folder of an edge: one edge, once the workers of the one before have ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdFolder } from './shared-folder.ts';

/** Holding blocks this process, so that what ends the other one is its own clock. */
const LIVES_MS = 500;
/** The other one makes this file as it ends. */
const ENDING = 'ending';

let folder: string;
let others: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-folder-'));
  others = [];
});

afterEach(async () => {
  for (const other of others) other.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** A process that uses the folder, says so, and lives until it is killed or `forMs` are over. */
async function elsewhere(use: 'holdFolder' | 'joinFolder', forMs = 60_000): Promise<ChildProcess> {
  const module = join(import.meta.dirname, 'shared-folder.ts');
  const code = `
    const { writeFileSync } = await import('node:fs');
    const { ${use} } = await import(${JSON.stringify(module)});
    globalThis.kept = ${use}(${JSON.stringify(folder)});
    console.log('in use');
    process.on('exit', () => writeFileSync(${JSON.stringify(join(folder, ENDING))}, ''));
    setTimeout(() => {}, ${forMs});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  others.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('a second edge is refused while the first one lives, and not after a kill', async () => {
  const first = await elsewhere('holdFolder');
  expect(() => holdFolder(folder)).toThrow(`${folder} is in use by another edge`);
  first.kill('SIGKILL');
  await once(first, 'exit');
  holdFolder(folder)();
});

test('workers share it with the edge and with each other', async () => {
  const letGo = holdFolder(folder);
  await elsewhere('joinFolder');
  await elsewhere('joinFolder');
  letGo();
});

test('an edge waits until the workers of the one before have ended', async () => {
  const worker = await elsewhere('joinFolder', LIVES_MS);
  expect(existsSync(join(folder, ENDING))).toBe(false);
  holdFolder(folder)();
  expect(existsSync(join(folder, ENDING))).toBe(true);
  await once(worker, 'exit');
});

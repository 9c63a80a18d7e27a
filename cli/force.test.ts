/** `weir force` against an operator that runs. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { eventually } from '../lib/testing/eventually.ts';
import { startOperator } from '../operator/main.ts';
import { nodeManifest, SETTINGS } from '../operator/testing/manifests.ts';
import { runWeir, temporaryFolder } from './testing/run-weir.ts';

let operator: Awaited<ReturnType<typeof startOperator>>;
let where: string[];

beforeAll(async () => {
  const folder = await temporaryFolder({ 'weir.yaml': SETTINGS, 'nodes.yaml': nodeManifest('a') });
  const state = join(await temporaryFolder(), 'state');
  operator = await startOperator({ folder, state, listen: { host: '127.0.0.1', port: 0 }, log: silentLog });
  where = ['--state', state, '--operator', `https://127.0.0.1:${operator.address.port}`];
  await eventually(async () => {
    expect((await runWeir(['get', 'edge', 'a', ...where])).stdout).toContain('us-west');
  });
});
afterAll(() => operator.stop());

const forced = async () => {
  const { stdout } = await runWeir(['get', 'edge', 'a', '-o', 'json', ...where]);
  return /"forced": \{\s*"state": "(\w+)"/.exec(stdout)?.[1];
};

test('says what was done, which lasts until it is taken back', async () => {
  const down = await runWeir(['force', 'a', 'down', '--for', '10m', ...where]);
  expect(down).toMatchObject({ code: 0, stderr: '' });
  expect(down.stdout).toMatch(/^a: down until 20\d\d-.*Z\n$/);
  expect(await forced()).toBe('Down');
  expect((await runWeir(['force', 'a', 'up', ...where])).stdout).toBe('a: up until `weir force a auto`\n');
  expect(await forced()).toBe('Up');
  expect((await runWeir(['force', 'a', 'auto', ...where])).stdout).toBe('a: by its health checks\n');
  expect(await forced()).toBeUndefined();
});

test.each([
  [['force', 'b', 'down'], 1, 'no EdgeNode is called b'],
  [['force', 'a', 'sideways'], 2, 'up, down, auto'],
  [['force', 'a', 'down', '--for', 'long'], 2, 'A duration'],
  [['force', 'a', 'auto', '--for', '1m'], 2, '`auto` has no end'],
])('refuses %j', async (args, code, message) => {
  const ran = await runWeir([...args, ...where]);
  expect(ran.code).toBe(code);
  expect(ran.stderr).toContain(message);
});

test('an operator that is not there is told apart from one that says no', async () => {
  const ran = await runWeir(['force', 'a', 'down', ...where, '--operator', 'https://127.0.0.1:1']);
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain('a is as it was: ');
});

/** `weir token` and `weir join` against an operator that runs, and what joined really comes in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAgent } from '../../agent/create-agent.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { startOperator } from '../../operator/main.ts';
import { nodeManifest, SETTINGS } from '../../operator/testing/manifests.ts';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';
import { unitText } from './unit.ts';

let operator: Awaited<ReturnType<typeof startOperator>>;
let state: string;
let url: string;
let where: string[];
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const folder = await temporaryFolder({ 'weir.yaml': SETTINGS, 'nodes.yaml': nodeManifest('a') });
  state = join(await temporaryFolder(), 'state');
  operator = await startOperator({ folder, state, listen: { host: '127.0.0.1', port: 0 }, log: silentLog });
  url = `https://127.0.0.1:${operator.address.port}`;
  where = ['--state', state, '--operator', url];
  await eventually(async () => expect((await runWeir(['get', 'edge', 'a', ...where])).code).toBe(0));
});
afterAll(() => operator.stop());
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function newToken(...args: string[]): Promise<string> {
  const ran = await runWeir(['token', 'create', ...args, ...where]);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toMatch(/^weir1\.\w{8}\.[\w-]{43}\.[\w-]{43}\n$/);
  return ran.stdout.trim();
}

const joinWith = (token: string, machine: string, ...args: string[]) =>
  runWeir(['join', '--operator', url, '--token', token, '--state', machine, ...args]);

test('a machine joins, and its edge comes in with what it got, and nothing else', async () => {
  const machine = await temporaryFolder();
  const ran = await joinWith(await newToken('--role', 'edge', '--node', 'a'), machine);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toContain('This machine is edge a: its certificate');
  expect(ran.stdout).toContain('systemctl daemon-reload && systemctl enable --now weir-edge.service');
  expect(ran.stdout).not.toContain('PRIVATE KEY');
  for (const file of ['credential.pem', 'ca.pem']) {
    expect((await stat(join(machine, 'credential', file))).mode & 0o777).toBe(0o600);
  }
  const agent = createAgent<'edge'>({
    role: 'edge',
    node: 'a',
    operator: url,
    folder: machine,
    log: silentLog,
    prepare: async () => () => {},
  });
  ends.push(() => agent.stop());
  agent.connect();
  await eventually(() => expect(agent.held()).toBeDefined());
});

test('what the unit starts serves both families, with TLS beside it, and drains', async () => {
  const machine = await temporaryFolder();
  const [port, tlsPort, admin] = [await freePort(), await freePort(), await freePort()];
  const places = [`--listen=0.0.0.0:${port}`, `--listen=[::]:${port}`, `--admin=127.0.0.1:${admin}`];
  const token = await newToken('--role', 'edge', '--node', 'a');
  const { stdout } = await joinWith(
    token,
    machine,
    ...places,
    `--listen-tls=[::]:${tlsPort}`,
    '--drain=1s',
    '-o',
    'json',
  );
  const [, commandLine = ''] = /^ExecStart=(.*)$/m.exec(JSON.parse(stdout).unit.text) ?? [];
  const edge = spawn('/bin/sh', ['-c', `exec ${commandLine}`], { stdio: 'ignore' });
  const ended = once(edge, 'exit');
  ends.push(async () => edge.kill('SIGKILL'));
  await eventually(
    async () => expect((await fetch(`http://127.0.0.1:${admin}/readyz`)).status).toBe(200),
    15_000,
  );
  for (const host of ['127.0.0.1', '[::1]']) {
    expect((await fetch(`http://${host}:${port}/`)).status).toBe(404);
  }
  await new Promise((resolve) => connect({ host: '::1', port: tlsPort }).once('connect', resolve).unref());
  edge.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a second one with the same token is refused, and says what to do', async () => {
  const token = await newToken('--role', 'edge', '--node', 'a');
  expect((await joinWith(token, await temporaryFolder())).code).toBe(0);
  const machine = await temporaryFolder();
  const { code, stdout, stderr } = await joinWith(token, machine);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('was used before');
  expect(stderr).not.toContain(token);
  expect(await readdir(join(machine, 'credential'))).toEqual([]);
});

test('a command that is typed twice spends no second token', async () => {
  const machine = await temporaryFolder();
  await joinWith(await newToken('--role', 'edge', '--node', 'a'), machine);
  const token = await newToken('--role', 'edge', '--node', 'a');
  const { code, stderr } = await joinWith(token, machine);
  expect(code).toBe(1);
  expect(stderr).toContain('this machine has joined');
  expect((await joinWith(token, await temporaryFolder())).code).toBe(0);
});

test('a dns-server joins by a name of its own, told as JSON, with a unit in a file', async () => {
  const machine = await temporaryFolder();
  const unit = join(machine, 'weir.service');
  const file = join(machine, 'token');
  await writeFile(file, `${await newToken('--role', 'dns-server')}\n`);
  const args = [
    '--token-file',
    file,
    '--name',
    'dns-9',
    '--state',
    machine,
    '--write-unit',
    unit,
    '-o',
    'json',
  ];
  const { code, stdout } = await runWeir(['join', '--operator', url, ...args]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    role: 'dns-server',
    node: 'dns-9',
    until: expect.stringMatching(/^20\d\d-.*Z$/),
    files: {
      credential: join(machine, 'credential', 'credential.pem'),
      bundle: join(machine, 'credential', 'ca.pem'),
    },
    unit: { file: unit },
  });
  const text = await readFile(unit, 'utf8');
  expect(text).toContain(`--name dns-9 --operator ${url} --state ${machine} --listen 0.0.0.0:53`);
});

describe('weir token', () => {
  test('lists what was made, who used it, and not the secret; revokes', async () => {
    const token = await newToken('--role', 'edge', '--node', 'a', '--for', '10m');
    const [, id = '', secret = ''] = token.split('.');
    const listed = await runWeir(['token', 'list', ...where]);
    expect(listed.stdout).toMatch(/^ID +ROLE +NODE +STATE\n/);
    expect(listed.stdout).toMatch(new RegExp(`^${id} +edge +a +good until 20`, 'm'));
    expect(listed.stdout).toMatch(/^\w{8} +dns-server +any +used 20/m);
    expect(listed.stdout).not.toContain(secret);
    const asJson = JSON.parse((await runWeir(['token', 'list', '-o', 'json', ...where])).stdout);
    expect(asJson).toContainEqual(expect.objectContaining({ id, role: 'edge', node: 'a' }));
    expect(await runWeir(['token', 'revoke', id, ...where])).toMatchObject({
      code: 0,
      stdout: `${id} is revoked\n`,
    });
    expect((await joinWith(token, await temporaryFolder())).stderr).toContain('no such token');
    expect((await runWeir(['token', 'revoke', id, ...where])).code).toBe(1);
  });

  test('refuses what makes no sense', async () => {
    const create = (...args: string[]) => runWeir(['token', 'create', ...args, ...where]);
    expect(await create('--role', 'edge')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a token for an edge names its EdgeNode'),
    });
    expect((await create('--role', 'origin')).code).toBe(2);
    expect((await create('--role', 'edge', '--node', 'a', '--for', 'soon')).code).toBe(2);
    expect((await create('--role', 'edge', '--node', 'a', '--for', '8d')).code).toBe(1);
    const nobody = ['--state', state, '--operator', 'https://127.0.0.1:1'];
    expect((await runWeir(['token', 'list', ...nobody])).code).toBe(4);
  });
});

test('the secrets of the operator are its own: nothing of them is for others to read', async () => {
  const { ca, joinTokens, token, bundle } = stateFolder(state);
  for (const file of [ca, joinTokens, token]) expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(bundle, 'utf8')).not.toContain('PRIVATE');
});

describe('weir join', () => {
  test.each([
    [['--operator', 'http://127.0.0.1:8700', '--token', 'x'], 2, 'https://'],
    [['--operator', 'https://127.0.0.1:8700'], 2, 'either --token or --token-file'],
    [['--operator', 'https://127.0.0.1:8700', '--token', 'x'], 2, 'begins with weir1.'],
    [['--operator', 'https://127.0.0.1:8700', '--token-file', 'no-such-file'], 2, 'there is no such file'],
  ])('%j is refused', async (args, wanted, words) => {
    const { code, stderr } = await runWeir(['join', ...args, '--state', await temporaryFolder()]);
    expect([code, stderr]).toEqual([wanted, expect.stringContaining(words)]);
  });

  test('exits with 4 where no operator answers', async () => {
    const token = await newToken('--role', 'edge', '--node', 'a');
    const args = ['--operator', 'https://127.0.0.1:1', '--token', token, '--state', await temporaryFolder()];
    expect((await runWeir(['join', ...args])).code).toBe(4);
  });
});

test('a unit quotes what systemd would take for something else', () => {
  const text = unitText({
    role: 'edge',
    node: 'zz-1',
    operator: 'https://weir.example.net:8700',
    state: '/srv/100% of "it"',
    listen: ['0.0.0.0:80', '[::]:80'],
    listenTls: ['[::]:443'],
    drainMs: 75_000,
    admin: '127.0.0.1:8701',
    user: 'weir',
    runtime: '/usr/bin/node',
    program: '/opt/weir/edge/main.js',
  });
  expect(
    text.split('\n').filter((line) => /^(ExecStart|ReadWritePaths|TimeoutStopSec|User)=/.test(line)),
  ).toEqual([
    'ExecStart=/usr/bin/node /opt/weir/edge/main.js --node zz-1 --operator https://weir.example.net:8700 ' +
      String.raw`--state "/srv/100%% of \"it\"" --listen 0.0.0.0:80 --listen [::]:80 ` +
      '--listen-tls [::]:443 --admin 127.0.0.1:8701 --drain 75000ms',
    'User=weir',
    'TimeoutStopSec=90',
    String.raw`ReadWritePaths="/srv/100%% of \"it\""`,
  ]);
});

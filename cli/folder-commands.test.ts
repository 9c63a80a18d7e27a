/** `weir validate` and `weir compile`, from outside; and the door of the command itself. */
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { runWeir, spawnWeir, temporaryFolder } from './testing/run-weir.ts';

const EXAMPLES = join(import.meta.dirname, '../examples');
const QUICKSTART = join(EXAMPLES, 'quickstart');
const settings = `
zones: [{ name: cdn.example.net, nameServers: [{ name: ns1.example.net }], soa: { contact: h.example.net } }]
regions: [{ name: all }]
defaultRegion: all
`;
const node = (spec: string) => `
apiVersion: cdn.weir.dev/v1alpha1
kind: EdgeNode
metadata: { name: zz-1 }
spec: ${spec}
`;

test.each(globSync('*/weir.yaml', { cwd: EXAMPLES }).map(dirname))('examples/%s is valid', async (name) => {
  const { code, stdout, stderr } = await runWeir(['validate', join(EXAMPLES, name)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ok: \d+ domains?, \d+ nodes?, \d+ jobs, 0 certificates\n$/);
});

test('validate tells all problems at once, with file, line, path, value and what is allowed', async () => {
  const folder = await temporaryFolder({
    'weir.yaml': settings,
    'nodes/zz-1.yaml': node('{ addresses: [nowhere], region: nowhere, wait: 1 }'),
    'broken.yaml': 'kind: [',
  });
  const { code, stdout, stderr } = await runWeir(['validate', folder]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^broken\.yaml:\d+: /);
  expect(stdout).toContain(
    'nodes/zz-1.yaml:5: EdgeNode zz-1: spec.addresses[0]: "nowhere": an IPv4 or IPv6 address',
  );
  expect(stdout).toMatch(
    /zz-1\.yaml:5: EdgeNode zz-1: spec\.wait: 1: unknown field; allowed here: addresses/,
  );
});

test('validate tells a program the same', async () => {
  const folder = await temporaryFolder({
    'weir.yaml': settings,
    'zz-1.yaml': node('{ addresses: [192.0.2.1], region: nowhere }'),
  });
  const { code, stdout } = await runWeir(['validate', folder, '-o', 'json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    problems: [{ file: 'zz-1.yaml', line: 5, path: 'spec.region', ref: { kind: 'EdgeNode', name: 'zz-1' } }],
  });
});

test('a folder without weir.yaml is a problem, one that can not be read a wrong command line', async () => {
  const empty = await runWeir(['validate', await temporaryFolder()]);
  expect(empty).toMatchObject({ code: 1, stdout: 'weir.yaml:1: the folder has no weir.yaml at its root\n' });
  const missing = await runWeir(['validate', join(EXAMPLES, 'nothing-here')]);
  expect(missing).toMatchObject({ code: 2, stdout: '' });
  expect(missing.stderr).toContain('nothing-here: can not be read as a folder');
});

test('a process of its own exits the same way', async () => {
  expect(await spawnWeir(['validate', QUICKSTART])).toEqual(await runWeir(['validate', QUICKSTART]));
  expect(await spawnWeir(['validate', await temporaryFolder()])).toMatchObject({ code: 1 });
  expect(await spawnWeir(['nonsense'])).toMatchObject({ code: 2, stdout: '' });
});

test('compile prints both plans, the same in YAML and JSON', async () => {
  const asYaml = await runWeir(['compile', QUICKSTART]);
  const asJson = await runWeir(['compile', QUICKSTART, '-o', 'json']);
  expect(asYaml).toMatchObject({ code: 0, stderr: '' });
  const plans = JSON.parse(asJson.stdout);
  expect(parse(asYaml.stdout)).toEqual(plans);
  expect(plans).toMatchObject({
    routing: {
      defaultRegion: 'us-west',
      domains: [{ cname: 'video.demo.cdn.example.net', ttl: 30 }],
      nodes: [{ name: 'bj-1' }, { name: 'la-1' }, { name: 'zz-1' }],
    },
    edge: { domains: [{ hostnames: ['video.example.com'], origin: { url: 'http://127.0.0.1:8800' } }] },
  });
});

test('compile prints what is valid, and the problems of the rest apart', async () => {
  const folder = await temporaryFolder({ 'weir.yaml': settings, 'zz-1.yaml': node('{}') });
  const { code, stdout, stderr } = await runWeir(['compile', folder]);
  expect(code).toBe(1);
  expect(parse(stdout)).toMatchObject({ routing: { nodes: [] } });
  expect(stderr).toContain('zz-1.yaml:5: EdgeNode zz-1: spec.addresses');
});

test.each([
  [['nonsense'], "unknown command 'nonsense'"],
  [['validate'], "missing required argument 'dir'"],
  [['explain', 'video.example.com'], "required option '--client <ip>' not specified"],
  [['get', '--state', '.', '-o', 'xml'], 'Allowed choices are table, json, yaml'],
  [['purge', '--wait', 'soon'], 'A duration: a whole number and ms, s, m, h or d'],
])('a wrong command line exits with 2: weir %j', async (args, message) => {
  const { code, stdout, stderr } = await runWeir(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('every command has help with examples and the exit codes', async () => {
  for (const name of ['standalone', 'get', 'explain', 'purge', 'validate', 'compile']) {
    const { code, stdout } = await runWeir([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`\nExamples:\n  weir ${name} `.trimEnd());
    expect(stdout).toContain('Exit codes:\n  0  done');
  }
});

test('a Node too old for TypeScript is told so in one line', async () => {
  const older = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})';
  const ran = await spawnWeir(
    ['--version'],
    ['--import', `data:text/javascript,${encodeURIComponent(older)}`],
  );
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(/^weir: needs Node 24 or newer, this is 20\.20\.2.*\n$/);
});

/**
 * What `npm run build` makes, in a folder where nothing of this repository is near: the command, and a whole `weir
 * standalone` with its programs, their threads and the geo data.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { build } from '../../scripts/build.ts';
import { addresses, CLIENTS } from '../system/client.ts';
import { cdnDomain, EDGES, edgeNode } from '../system/programs.ts';

let base: string;
let running: ChildProcess | undefined;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-bundle-'));
  await build(join(base, 'dist'));
}, 120_000);

afterAll(async () => {
  running?.kill('SIGKILL');
  // The programs end by themselves once their parent is gone.
  await rm(base, { recursive: true, force: true, maxRetries: 40, retryDelay: 250 });
});

// The commands' first line asks for a `node` in PATH, as in an image.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const bin = (name: string) => join(base, 'dist', 'bin', name);
const run = (command: string, ...args: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(bin(command), args, { cwd: base, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

test.each(['weir', 'kubectl-weir'])('%s is executable, and knows itself', async (command) => {
  const help = await run(command, '--help');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain(`Usage: ${command.replace('-', ' ')} `);
  expect((await run(command, '--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('the day of the quickstart', { timeout: 240_000 }, async () => {
  const [dns, dnsAdmin, operator, edgeAdminPort, origin, http] = await Promise.all(
    Array.from({ length: 6 }, freePort),
  );
  const folder = join(base, 'folder');
  const state = join(base, 'state');
  await mkdir(folder);
  const settings = {
    zones: [
      {
        name: 'cdn.example.net',
        nameServers: [{ name: 'ns1.example.net' }],
        soa: { contact: 'h.example.net' },
      },
    ],
    regions: [
      { name: 'cn-central', members: { subdivisions: ['CN-HA'] }, fallback: ['us-west'] },
      { name: 'us-west' },
    ],
    defaultRegion: 'us-west',
    listen: {
      dns: [`127.0.0.1:${dns}`],
      // Nothing starts without its threads.
      batch: 'on',
      dnsAdmin: `127.0.0.1:${dnsAdmin}`,
      operator: `127.0.0.1:${operator}`,
      edgeAdminPort,
    },
    sampleOrigin: { listen: `127.0.0.1:${origin}` },
  };
  const nodes = EDGES.slice(1).map((edge) => edgeNode(edge, http ?? 0));
  await writeFile(join(folder, 'weir.yaml'), stringify(settings));
  await writeFile(join(folder, 'nodes.yaml'), nodes.map((node) => stringify(node)).join('---\n'));
  await writeFile(
    join(folder, 'domain.yaml'),
    stringify(cdnDomain('video', 'video.example.com', origin ?? 0)),
  );
  expect(await run('weir', 'validate', folder)).toMatchObject({ code: 0 });

  const child = spawn(bin('weir'), ['standalone', folder, '--state', state], { cwd: base, env });
  running = child;
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually(() => expect(said).toContain('Ctrl-C stops everything.'), 60_000);

  await eventually(async () => {
    expect(await addresses(dns ?? 0, CLIENTS.zhengzhou)).toEqual(['127.0.2.1']);
    expect(await addresses(dns ?? 0, CLIENTS.california)).toEqual(['127.0.3.1']);
  }, 60_000);
  const statuses: unknown[] = [];
  for (let count = 0; count < 2; count++) {
    const url = `http://127.0.2.1:${http}/page.html`;
    const { headers, body } = await request(url, { headers: { host: 'video.example.com' } });
    await body.dump();
    statuses.push(headers['cache-status']);
  }
  expect(statuses).toEqual([expect.stringContaining('fwd=uri-miss'), expect.stringContaining('hit')]);

  const purge = await run('weir', 'purge', '--url', 'http://video.example.com/page.html', '--state', state);
  expect(purge).toMatchObject({ code: 0, stdout: expect.stringContaining('Complete: 2 of 2 nodes acked') });
  const top = await run('weir', 'top', '--once', '--state', state);
  const { edges } = JSON.parse(top.stdout);
  expect(edges.map(({ node }: { node: string }) => node).sort()).toEqual(['la-1', 'zz-1']);
  const why = ['explain', 'video.example.com', '--client', '202.102.224.68', '--state', state];
  expect(await run('weir', ...why)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('(subdivision CN-HA)'),
  });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

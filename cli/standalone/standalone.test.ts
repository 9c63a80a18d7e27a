/** `weir standalone` from outside: all programs, on free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { listen } from '../../lib/listen.ts';
import { parseListenAddress } from '../../lib/listen-address.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { tryBind } from '../../lib/try-bind.ts';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';
import { SMALLEST_SETTINGS } from './testing/settings.ts';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

async function settings() {
  const [dns, dnsAdmin, operator, edgeAdminPort, origin] = await Promise.all(
    Array.from({ length: 5 }, freePort),
  );
  return {
    ...SMALLEST_SETTINGS,
    listen: {
      dns: [`127.0.0.1:${dns}`],
      dnsAdmin: `127.0.0.1:${dnsAdmin}`,
      operator: `127.0.0.1:${operator}`,
      edgeAdminPort,
    },
    sampleOrigin: { listen: `127.0.0.1:${origin}` },
  };
}

type Settings = Awaited<ReturnType<typeof settings>>;
const placesOf = ({ listen: { dns, dnsAdmin, operator }, sampleOrigin }: Settings) => [
  ...dns,
  dnsAdmin,
  operator,
  sampleOrigin.listen,
];

const head = { apiVersion: 'cdn.weir.dev/v1alpha1' };
const node = (name: string, address: string, http: number) => ({
  ...head,
  kind: 'EdgeNode',
  metadata: { name },
  spec: {
    addresses: [address],
    ports: { http },
    region: 'all',
    healthCheck: { interval: '200ms', timeout: '1s' },
  },
});
const domain = (origin: string) => ({
  ...head,
  kind: 'CdnDomain',
  metadata: { name: 'video', namespace: 'demo' },
  spec: { hostname: 'video.example.com', origins: [{ name: 'main', url: `http://${origin}` }] },
});
const yaml = (...documents: object[]) => documents.map((document) => stringify(document)).join('---\n');

/** Starts it, and gives back what it printed so far, and all that it logged. */
function start(folder: string, state: string) {
  const launcher = join(import.meta.dirname, '../weir.mjs');
  const child = spawn(process.execPath, [launcher, 'standalone', folder, '--state', state], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  return { child, said };
}

/** Six programs of Node.js start, on whatever else a machine does. */
const until = (check: () => void | Promise<void>) => eventually(check, 60_000);

/** What the edge at an address answers for the domain; undefined when nobody is there. */
async function status(address: string): Promise<number | undefined> {
  try {
    const headers = { host: 'video.example.com' };
    const { statusCode, body } = await request(`http://${address}/page.html`, { headers, reset: true });
    await body.dump();
    return statusCode;
  } catch {
    return undefined;
  }
}

/** Those of the addresses where somebody listens. */
async function taken(addresses: readonly string[]): Promise<string[]> {
  const codes = await Promise.all(
    addresses.map(async (text) => {
      const address = parseListenAddress(text);
      return address && (await tryBind(address, 'tcp'));
    }),
  );
  return addresses.filter((_, index) => codes[index] === 'EADDRINUSE');
}

test('starts all, follows edges and settings, and stops without a trace', { timeout: 180_000 }, async () => {
  const config = await settings();
  const [first, second, moved, otherOrigin] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const folder = await temporaryFolder({
    'weir.yaml': stringify(config),
    'domain.yaml': yaml(domain(config.sampleOrigin.listen)),
    'nodes.yaml': yaml(node('a', '127.0.1.1', first)),
  });
  const state = await temporaryFolder();
  const { child, said } = start(folder, state);

  await until(() => expect(said.stdout).toContain('Ctrl-C stops everything.'));
  // Standard output has the result alone; the log is on standard error, a JSON object a line.
  expect(said.stdout).toMatch(/^\nWeir runs /);
  const logged = said.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).name);
  expect(logged).toEqual(
    expect.arrayContaining(['standalone', 'operator', 'dns-server', 'edge', 'sample-origin']),
  );
  expect(said.stdout).toMatch(/demo\/video +video\.example\.com +video\.demo\.cdn\.example\.net +ready/);
  expect(said.stdout).toContain(`npx weir explain video.example.com --client 8.8.8.8 --state ${state}`);
  expect(await status(`127.0.1.1:${first}`)).toBe(200);

  await writeFile(
    join(folder, 'nodes.yaml'),
    yaml(node('a', '127.0.1.1', moved), node('b', '127.0.2.1', second)),
  );
  await until(async () => {
    expect(await status(`127.0.1.1:${moved}`)).toBe(200);
    expect(await status(`127.0.2.1:${second}`)).toBe(200);
  });
  expect(await status(`127.0.1.1:${first}`)).toBeUndefined();

  await writeFile(join(folder, 'nodes.yaml'), yaml(node('b', '127.0.2.1', second)));
  await until(async () => expect(await status(`127.0.1.1:${moved}`)).toBeUndefined());
  expect(await status(`127.0.2.1:${second}`)).toBe(200);

  const changed = { ...config, sampleOrigin: { listen: `127.0.0.1:${otherOrigin}` } };
  await writeFile(join(folder, 'weir.yaml'), stringify(changed));
  await until(async () => expect(await status(`127.0.0.1:${otherOrigin}`)).toBe(200));

  const places = [...placesOf(changed), `127.0.2.1:${second}`];
  expect(await taken(places)).toEqual(places);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(await taken(places)).toEqual([]);
});

test('a supervisor that is killed leaves no orphans', { timeout: 120_000 }, async () => {
  const config = await settings();
  const folder = await temporaryFolder({ 'weir.yaml': stringify(config) });
  const { child, said } = start(folder, await temporaryFolder());
  await until(() => expect(said.stdout).toContain('Ctrl-C stops everything.'));
  expect(await taken(placesOf(config))).toEqual(placesOf(config));
  child.kill('SIGKILL');
  await until(async () => expect(await taken(placesOf(config))).toEqual([]));
});

test('says what is wrong, and starts nothing', async () => {
  const config = await settings();
  const state = await temporaryFolder();
  const broken = await temporaryFolder({ 'weir.yaml': stringify({ ...config, defaultRegion: 'nowhere' }) });
  expect(await runWeir(['standalone', broken, '--state', state])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'weir: weir.yaml:9: defaultRegion: "nowhere": one of the regions: all\n',
  });

  const rival = createServer();
  const { port } = await listen(rival, { host: '127.0.0.1', port: 0 });
  const dnsAdmin = `127.0.0.1:${port}`;
  const folder = await temporaryFolder({
    'weir.yaml': stringify({ ...config, listen: { ...config.listen, dnsAdmin } }),
  });
  expect(await runWeir(['standalone', folder, '--state', state])).toEqual({
    code: 1,
    stdout: '',
    stderr: `weir: ${dnsAdmin} (tcp, weir.yaml: listen.dnsAdmin) is in use by another program\n`,
  });
  rival.close();
});

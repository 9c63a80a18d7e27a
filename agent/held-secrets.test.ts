/** Secrets that came down the stream: on disk for their owner only, and there again after a restart. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AgentSecret, secretDigest } from '../contract/stream/agent-secret.ts';
import { countingLog } from '../lib/testing/counting-log.ts';
import { HeldSecrets } from './held-secrets.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-agent-'));
});
afterEach(() => rm(folder, { recursive: true }));

const secret = (name: string, value: string): AgentSecret => ({ name, digest: secretDigest(value), value });

async function start() {
  const { log, lines } = countingLog();
  const seen: Record<string, string>[] = [];
  const held = new HeldSecrets({ folder, log, onSecrets: (values) => seen.push(Object.fromEntries(values)) });
  await held.load();
  const take = async (...secrets: AgentSecret[]) => {
    held.offer(secrets);
    await held.idle();
  };
  return { seen, take, lines };
}

test('are in force, of mode 0600, and loaded by the next start before anything is asked of the network', async () => {
  const { seen, take } = await start();
  expect(seen).toEqual([]);
  await take(secret('cookie-secret', 'a'), secret('cdn.example.net.keys.json', 'k'));
  expect(seen).toEqual([{ 'cookie-secret': 'a', 'cdn.example.net.keys.json': 'k' }]);
  const path = join(folder, 'secrets', 'cdn.example.net.keys.json');
  expect([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777]).toEqual(['k', 0o600]);
  expect((await stat(join(folder, 'secrets'))).mode & 0o777).toBe(0o700);
  expect((await start()).seen).toEqual(seen);
});

test('those that are not among them go; the same again is no change', async () => {
  const { seen, take } = await start();
  await take(secret('a', '1'), secret('b', '2'));
  await take(secret('b', '2'));
  await take(secret('b', '2'));
  expect(seen.at(-1)).toEqual({ b: '2' });
  expect(seen).toHaveLength(2);
  expect(await readdir(join(folder, 'secrets'))).toEqual(['b']);
});

test('one that differs from its digest: all that was held stays, and no value is told', async () => {
  const { seen, take, lines } = await start();
  await take(secret('a', '1'));
  await take(secret('a', '2'), { ...secret('b', 'SECRET'), digest: secretDigest('other') });
  expect(seen).toEqual([{ a: '1' }]);
  expect(lines.some(({ names }) => String(names) === 'b')).toBe(true);
  expect(JSON.stringify(lines)).not.toContain('SECRET');
});

test('a disk that takes nothing: in force until a restart', async () => {
  const { seen, take, lines } = await start();
  await rm(folder, { recursive: true });
  await writeFile(folder, 'no folder');
  await take(secret('a', '1'));
  expect(seen).toEqual([{ a: '1' }]);
  expect(lines.map(({ msg }) => msg)).toContain('secrets are not written; they are in force until a restart');
});

/** Secrets that came down the stream: on disk for their owner only, and there again after a restart. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AgentSecret, secretDigest, secretSetDigest } from '../contract/stream/agent-secret.ts';
import type { SecretsMessage } from '../contract/stream/messages.ts';
import { FakeClock } from '../lib/clock.ts';
import { countingLog } from '../lib/testing/counting-log.ts';
import { HeldSecrets } from './held-secrets.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-agent-'));
});
afterEach(() => rm(folder, { recursive: true }));

const secret = (name: string, value: string): AgentSecret => ({ name, digest: secretDigest(value), value });

/** All that it is to hold. */
const all = (...set: AgentSecret[]): SecretsMessage => ({
  type: 'secrets',
  set,
  gone: [],
  digest: secretSetDigest(set),
});

async function start(options: { secretsInMemory?: boolean; secretsLingerMs?: () => number } = {}) {
  const clock = new FakeClock();
  const { log, lines } = countingLog();
  const seen: Record<string, string>[] = [];
  let mismatches = 0;
  const onSecrets = (values: ReadonlyMap<string, string>) => void seen.push(Object.fromEntries(values));
  const held = new HeldSecrets({ folder, log, onSecrets, clock, ...options });
  await held.load();
  const tell = async (message: SecretsMessage) => {
    held.offer(message, () => mismatches++);
    await held.idle();
  };
  const take = (...secrets: AgentSecret[]) => tell(all(...secrets));
  const later = async (ms: number) => {
    clock.advance(ms);
    await held.idle();
  };
  return { seen, take, tell, later, lines, digest: () => held.digest(), mismatches: () => mismatches };
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
  const { seen, take, lines, mismatches } = await start();
  await take(secret('a', '1'));
  await take(secret('a', '2'), { ...secret('b', 'SECRET'), digest: secretDigest('other') });
  expect([seen, mismatches()]).toEqual([[{ a: '1' }], 1]);
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

test('a change is what is new and what goes, in several parts; what does not fit what is held changes nothing', async () => {
  const { seen, take, tell, digest, mismatches } = await start();
  const [a, b, c] = [secret('a', '1'), secret('b', '2'), secret('c', '3')];
  await take(a, b);
  const base = await digest();
  expect(base).toBe(secretSetDigest([b, a]));
  await tell({ type: 'secrets', base, set: [c], gone: [] });
  expect(seen).toHaveLength(1);
  await tell({ type: 'secrets', base, set: [], gone: ['a'], digest: secretSetDigest([b, c]) });
  expect(seen.at(-1)).toEqual({ b: '2', c: '3' });
  expect(await digest()).toBe(secretSetDigest([b, c]));
  await tell({ type: 'secrets', base, set: [], gone: [], digest: base });
  expect([seen.length, mismatches()]).toEqual([2, 1]);
});

test('a stream that ends in the middle of a change: the next one begins anew', async () => {
  const { seen, take, tell, digest } = await start();
  await tell({ type: 'secrets', set: [secret('a', '1')], gone: [] });
  expect(await digest()).toBe(secretSetDigest([]));
  await take(secret('b', '2'));
  expect(seen).toEqual([{ b: '2' }]);
});

test('in memory alone: nothing on disk, and what lay there from before is gone', async () => {
  await (await start()).take(secret('a', '1'));
  const { seen, take } = await start({ secretsInMemory: true });
  await take(secret('b', '2'));
  expect(seen).toEqual([{ b: '2' }]);
  await expect(readdir(join(folder, 'secrets'))).rejects.toThrow('ENOENT');
});

test('one that goes is in force for as long as it may be needed, over a restart too, and is told to nobody', async () => {
  const [a, b, c] = [secret('a', '1'), secret('b', '2'), secret('c', '3')];
  const secretsLingerMs = () => 60_000;
  const first = await start({ secretsLingerMs });
  await first.take(a, b);
  await first.take(b);
  expect(first.seen.at(-1)).toEqual({ a: '1', b: '2' });
  expect(await first.digest()).toBe(secretSetDigest([b]));

  // An operator that has just begun knows of none that went.
  const again = await start({ secretsLingerMs });
  expect(again.seen.at(-1)).toEqual({ a: '1', b: '2' });
  await again.later(30_000);
  await again.take(b);
  await again.later(30_000);
  await again.take(b, c);
  expect(again.seen.at(-1)).toEqual({ a: '1', b: '2', c: '3' });
  await again.take(c);
  await again.later(29_999);
  expect(Object.keys(again.seen.at(-1) ?? {}).sort()).toEqual(['a', 'b', 'c']);
  await again.later(1);
  expect(again.seen.at(-1)).toEqual({ b: '2', c: '3' });
  expect((await readdir(join(folder, 'secrets'))).sort()).toEqual(['b', 'c']);
  await again.later(30_000);
  expect(again.seen.at(-1)).toEqual({ c: '3' });
});

test('one that comes back while it goes is held as it came', async () => {
  const { seen, take, later, digest } = await start({ secretsLingerMs: () => 60_000 });
  await take(secret('a', '1'));
  await take();
  await take(secret('a', '2'));
  expect(seen).toEqual([{ a: '1' }, { a: '2' }]);
  expect(await digest()).toBe(secretSetDigest([secret('a', '2')]));
  await later(60_000);
  expect(seen).toHaveLength(2);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newZoneKey } from '../../contract/dns/zone-keys.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { FakeClock } from '../../lib/clock.ts';
import { followSecrets, type Secrets } from './secret-files.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-secrets-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function start() {
  const clock = new FakeClock();
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const seen: Secrets[] = [];
  const stop = await followSecrets({ folder, clock, log, onSecrets: (secrets) => seen.push(secrets) });
  const until = (holds: () => boolean) =>
    vi.waitFor(() => {
      clock.advance(2_000);
      if (!holds()) throw new Error('not yet');
    });
  return { seen, logged, until, stop };
}

const keys = (zone: string) => ({ zone, keys: [newZoneKey(0, true)] });
const write = (name: string, text: string) => writeFileAtomic(join(folder, name), text, 0o600);

test('what is there is known before it returns, and changes are told once each', async () => {
  const first = keys('cdn.example.net');
  await write('cdn.example.net.keys.json', JSON.stringify(first));
  await write('cookie-secret', `${'ab'.repeat(16)}\n`);
  const { seen, until, stop } = await start();
  expect(seen).toEqual([{ zones: [first], cookie: Buffer.alloc(16, 0xab) }]);
  const second = keys('other.example');
  await write('other.example.keys.json', JSON.stringify(second));
  await until(() => seen.length === 2);
  expect(seen[1]?.zones).toEqual([first, second]);
  await rm(join(folder, 'cdn.example.net.keys.json'));
  await until(() => seen.length === 3);
  expect(seen[2]?.zones).toEqual([second]);
  stop();
});

test('a folder that is not there yet is no fault', async () => {
  await rm(folder, { recursive: true });
  const { seen, logged, stop } = await start();
  expect([seen, logged]).toEqual([[{ zones: [], cookie: undefined }], []]);
  await write('cookie-secret', 'ab'.repeat(16));
  stop();
});

test('what cannot be read is told once, without the key, and what was held stays', async () => {
  const good = keys('cdn.example.net');
  await write('cdn.example.net.keys.json', JSON.stringify(good));
  const { seen, logged, until, stop } = await start();
  await write('cdn.example.net.keys.json', JSON.stringify({ ...good, keys: [{ privateKey: 'SECRET' }] }));
  await until(() => logged.length > 0);
  await until(() => true);
  expect(logged).toHaveLength(1);
  expect(logged[0]).toContain('keys.0.privateKey');
  expect(logged[0]).not.toContain('SECRET');
  expect(seen).toHaveLength(1);
  stop();
});

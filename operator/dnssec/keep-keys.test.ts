import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dnsPacket, { type Packet } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { secretFolder } from '../secrets/secret-folder.ts';
import { keepKeys } from './keep-keys.ts';
import { askForDs, parentResolver } from './parent-ds.ts';
import type { SeenDs } from './rollover.ts';
import { zoneKeyStore } from './zone-key-store.ts';

const ZONE = 'cdn.example.net';
const HOUR = 3_600_000;

let folder = '';
let stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-keys-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  stops = [];
  await rm(folder, { recursive: true });
});

function start() {
  const state = stateFolder(folder);
  const clock = new FakeClock();
  const zone = { name: ZONE, dnssec: true, records: [] };
  const plan = { zones: [zone, { ...zone, name: 'plain.example', dnssec: false }], domains: [] };
  const parent: { seen: SeenDs; asked: number } = { seen: { tags: [], ttl: 0 }, asked: 0 };
  const store = zoneKeyStore(secretFolder(state, clock, silentLog));
  const stop = keepKeys({
    store,
    plan: () => plan as unknown as RoutingPlan,
    askForDs: (name) => {
      expect(name).toBe(ZONE);
      parent.asked++;
      return Promise.resolve(parent.seen);
    },
    clock,
    log: silentLog,
  });
  stops.push(stop);
  const until = async (holds: (keys: ZoneKeys) => boolean, ms = 1_000): Promise<ZoneKeys> =>
    vi.waitFor(
      async () => {
        clock.advance(ms);
        const keys = await store.read(ZONE);
        if (!keys || !holds(keys)) throw new Error('not yet');
        return keys;
      },
      { timeout: 10_000, interval: 5 },
    );
  return { state, store, parent, until, stop, clock };
}

test('a signed zone gets one key, of mode 0600, which a restart keeps; other zones get none', async () => {
  const { state, store, until } = start();
  const keys = await until(() => true);
  expect(keys.keys).toHaveLength(1);
  expect((await stat(state.zoneKeys(ZONE))).mode & 0o777).toBe(0o600);
  expect(await store.read('plain.example')).toBeUndefined();
  expect(await start().until(() => true)).toEqual(keys);
});

test('a key file that is damaged is not replaced', async () => {
  const { state, until, stop, clock } = start();
  await until(() => true);
  await writeFile(state.zoneKeys(ZONE), '{}');
  clock.advance(5_000);
  await stop();
  expect(await readFile(state.zoneKeys(ZONE), 'utf8')).toBe('{}');
});

test('a rollover goes from request to one new key, by what the parent says', async () => {
  const { state, parent, until } = start();
  const [old] = (await until(() => true)).keys;
  await writeFileAtomic(state.rollover(ZONE), '');
  const both = await until(({ keys }) => keys.length === 2);
  expect(parent.asked).toBe(0);
  await until(({ rollover }) => rollover?.phase === 'AwaitingDs', HOUR);
  const [, young] = both.keys;
  if (!old || !young) throw new Error('two keys');
  parent.seen = { tags: [publicPart(old).tag], ttl: 3_600 };
  await vi.waitFor(() => expect(parent.asked).toBeGreaterThan(0));
  parent.seen = { tags: [publicPart(young).tag], ttl: 3_600 };
  await until(({ rollover }) => rollover?.phase === 'Retiring', HOUR / 4);
  const after = await until(({ keys }) => keys.length === 1, HOUR);
  expect(after.keys).toEqual([{ ...young, announced: true }]);
  expect(after.rollover).toBeUndefined();
});

test('the cookies’ secret is made once, and for its owner only', async () => {
  const { state, store, until } = start();
  await until(() => true);
  const { size, mode, mtimeMs } = await stat(state.cookieSecret);
  expect([size, mode & 0o777]).toEqual([33, 0o600]);
  await store.makeCookieSecret();
  expect((await stat(state.cookieSecret)).mtimeMs).toBe(mtimeMs);
});

describe('the question to the parent', () => {
  /** A resolver that answers what it is told to. */
  async function resolver(answer: (query: Packet) => Buffer) {
    const socket: Socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    socket.on('message', (message, { port, address }) =>
      socket.send(answer(dnsPacket.decode(message)), port, address),
    );
    stops.push(() => new Promise((resolve) => socket.close(() => resolve())));
    return { host: '127.0.0.1', port: socket.address().port };
  }
  const ds = (keyTag: number, ttl: number) => ({
    type: 'DS',
    name: ZONE,
    ttl,
    data: { keyTag, algorithm: 13, digestType: 2, digest: Buffer.alloc(32, 1) },
  });
  const reply = (query: Packet, answers: unknown[], flags = 0) =>
    dnsPacket.encode({ ...query, type: 'response', flags, answers } as Packet);

  test('is for the zone’s DS, and its answer is tags and TTL', async () => {
    const where = await resolver((query) => {
      expect(query.questions).toMatchObject([{ name: ZONE, type: 'DS' }]);
      return reply(query, [ds(4_711, 300), ds(815, 600)]);
    });
    expect(await askForDs(ZONE, where)).toEqual({ tags: [4_711, 815], ttl: 600 });
  });

  test('no DS is an answer, a failure is none', async () => {
    expect(await askForDs(ZONE, await resolver((query) => reply(query, [])))).toEqual({ tags: [], ttl: 0 });
    const failing = await resolver((query) => reply(query, [], 2));
    await expect(askForDs(ZONE, failing)).rejects.toThrow(/does not tell/);
    const truncated = await resolver((query) => reply(query, [], 0x200));
    await expect(askForDs(ZONE, truncated)).rejects.toThrow(/does not tell/);
  });

  test('goes to the resolver of weir.yaml', () => {
    expect(parentResolver('127.0.0.9:5353')).toEqual({ host: '127.0.0.9', port: 5_353 });
    expect(parentResolver(undefined).port).toBe(53);
  });
});

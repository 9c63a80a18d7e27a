/** Orders at a server that is odd: how often it is asked, and what comes of it. Pebble's tests are in test/acme. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { certificate } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { CertificateBook } from '../certificates/book.ts';
import type { Pair } from '../certificates/pair.ts';
import { vaultFolder } from '../certificates/vault-folder.ts';
import { type OddAcmeServer, startOddAcmeServer } from '../testing/acme-server.ts';
import { AT } from '../testing/manifests.ts';
import { AcmeOffice, RENEW_ANNOTATION } from './office.ts';
import { PACES } from './renewal.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOST = 'video.demo.cdn.example.net';
const HOLDER = 'Certificate/demo/video';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

/** One Certificate that is ordered there; `settle` is some minutes of ticks. */
async function startOffice(oddities: Partial<Parameters<typeof startOddAcmeServer>[0]> = {}) {
  const clock = new FakeClock(Date.parse(AT));
  const server: OddAcmeServer = await startOddAcmeServer({ now: () => clock.now(), ...oddities });
  const base = await mkdtemp(join(tmpdir(), 'weir-acme-'));
  const vault = vaultFolder(stateFolder(base));
  const book = await CertificateBook.open(vault, silentLog);
  const wanted = certificateOf(server.directory);
  const certificates = [wanted];
  const nothing = async () => [];
  const office = new AcmeOffice({
    config: () => CONFIG,
    certificates: () => certificates,
    domains: () => [],
    secretEntry: () => undefined,
    book,
    vault,
    writeCopy: async () => {},
    reload: async () => {},
    isEverywhere: () => true,
    dns: { caa: nothing, cname: nothing, addresses: nothing, txt: nothing },
    paces: PACES,
    clock,
    random: () => 0.5,
    log: silentLog,
  });
  stops.push(
    () => rm(base, { recursive: true, force: true }),
    () => server.stop(),
    () => office.stop(),
  );
  const tick = async () => {
    await office.tick();
    clock.advance(1_000);
    for (let turns = 0; turns < 20; turns++) await turn();
  };
  return {
    server,
    clock,
    book,
    ordered: () => book.ordered.get('demo/video'),
    tick,
    settle: async () => {
      for (let ticks = 0; ticks < 200; ticks++) await tick();
    },
    /** Another one than before. */
    issued: (before?: Pair) =>
      eventually(async () => {
        await tick();
        const pair = book.kept(HOLDER);
        if (pair === undefined || pair.digest === before?.digest) throw new Error('nothing is issued yet');
        return pair;
      }),
    change: (change: (before: Certificate) => Certificate) => {
      certificates[0] = change(certificates[0] ?? wanted);
    },
  };
}

const CONFIG = weirConfig.parse({
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.cdn.example.net', addresses: ['192.0.2.53'] }],
      soa: { contact: 'hostmaster.example.net' },
    },
  ],
  regions: [{ name: 'us-west', members: { countries: ['US'] } }],
  defaultRegion: 'us-west',
});

function certificateOf(server: string): Certificate {
  const acme = { server: 'https://acme.example', challenge: 'DNS01' };
  const spec = certificate.spec.parse({ hostnames: [HOST], acme });
  const at = { namespace: 'demo', generation: 1, creationTimestamp: AT, labels: {}, annotations: {} };
  return {
    kind: 'Certificate',
    metadata: { ...at, name: 'video', uid: 'uid-video' },
    spec: { ...spec, ...(spec.acme && { acme: { ...spec.acme, server } }) },
  };
}

test('a renewal that was asked for is one, though the server dates certificates back', async () => {
  const { server, clock, settle, issued, change } = await startOffice({ backMs: HOUR_MS });
  const first = await issued();
  clock.advance(2 * HOUR_MS);
  const before = new Date(clock.now()).toISOString();
  change(({ metadata, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, annotations: { [RENEW_ANNOTATION]: before } },
  }));
  const second = await issued(first);
  expect(second.notBefore).toBeLessThan(Date.parse(before));
  await settle();
  expect(server.orders).toHaveLength(2);
});

test('a certificate for more names than were asked for is refused, and not ordered without end', async () => {
  const { server, book, settle, ordered, tick } = await startOffice({ moreNames: [`www.${HOST}`] });
  await eventually(async () => {
    await tick();
    expect(ordered()?.judgement).toMatchObject({
      reason: 'BadCertificate',
      message: expect.stringContaining(`it is also for www.${HOST}, which nobody asked for`),
    });
  });
  await settle();
  expect([server.orders.length, book.kept(HOLDER)]).toEqual([1, undefined]);
});

test('a server that has forgotten the account is given it again, with the same key', async () => {
  const { server, clock, issued } = await startOffice();
  const first = await issued();
  server.forgetAll();
  clock.advance(80 * DAY_MS);
  await issued(first);
  expect([server.accounts, server.orders.length, server.keys.size]).toEqual([2, 2, 1]);
});

test('a server whose clock is so far behind that what it issues is due already is not asked without a pause', async () => {
  const { server, clock, issued, settle } = await startOffice({ backMs: 20 * HOUR_MS, lifeMs: DAY_MS });
  const first = await issued();
  await settle();
  expect(server.orders).toHaveLength(1);
  clock.advance(HOUR_MS);
  await issued(first);
});

/** When copies are written, again, and for whom; what a folder makes of one. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certificate } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { Pair } from '../certificates/pair.ts';
import { AT } from '../testing/manifests.ts';
import { Copies, CopyRefused } from './copies.ts';
import { copyFiles } from './copy-files.ts';

const at = { namespace: 'demo', generation: 1, creationTimestamp: AT, labels: {}, annotations: {} };

function ordered(name: string, secretName = 'video-tls'): Certificate {
  const spec = certificate.spec.parse({ hostnames: ['video.example.com'], acme: { secretName } });
  return { kind: 'Certificate', metadata: { ...at, name, uid: `uid-${name}` }, spec };
}

const pair = (digest: string): Pair => ({
  value: JSON.stringify({ chain: `chain ${digest}`, key: `key ${digest}` }),
  digest,
  dnsNames: ['video.example.com'],
  notBefore: 0,
  notAfter: 1,
  serialNumber: '01',
  keyType: 'ECDSA',
});

function started() {
  const clock = new FakeClock();
  const written: string[] = [];
  const faults: Error[] = [];
  const copies = new Copies(
    async ({ owner, secretName, chain }) => {
      written.push(`${owner.metadata.name} ${secretName} ${chain}`);
      const fault = faults.shift();
      if (fault) throw fault;
    },
    clock,
    silentLog,
  );
  const look = async (owner: Certificate, digest: string) => {
    copies.keep(owner, pair(digest));
    await new Promise(setImmediate);
    return copies.keep(owner, pair(digest));
  };
  return { clock, written, faults, copies, look };
}

test('written once for a certificate, at once for the next one, and again after an hour', async () => {
  const { clock, written, look } = started();
  const video = ordered('video');
  await look(video, 'a');
  await look(video, 'a');
  expect(written).toEqual(['video video-tls chain a']);
  await look(video, 'b');
  expect(written).toHaveLength(2);
  clock.advance(3_600_000);
  await look(video, 'b');
  expect(written).toHaveLength(3);
});

test('a refusal is told until it is mended', async () => {
  const { clock, written, faults, look } = started();
  const video = ordered('video');
  faults.push(new CopyRefused('SecretForbidden', 'grant it'), new Error('the line is down'));
  expect(await look(video, 'a')).toEqual({ reason: 'SecretForbidden', message: 'grant it' });
  expect(written).toHaveLength(1);
  clock.advance(10_000);
  expect(await look(video, 'a')).toEqual({ reason: 'SecretNotWritten', message: 'the line is down' });
  clock.advance(10_000);
  expect(await look(video, 'a')).toBeUndefined();
});

test('of two Certificates that want one Secret the first keeps it until it goes', async () => {
  const { written, copies, look } = started();
  const [first, second] = [ordered('first'), ordered('second')];
  await look(first, 'a');
  expect(await look(second, 'b')).toMatchObject({ reason: 'SecretTaken' });
  copies.forget([second]);
  expect(await look(second, 'b')).toBeUndefined();
  expect(written).toEqual(['first video-tls chain a', 'second video-tls chain b']);
});

test('in a folder: two files that their owner alone reads', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weir-copies-'));
  const state = stateFolder(root);
  await copyFiles(state)({ owner: ordered('video'), secretName: 'video-tls', chain: 'chain', key: 'key' });
  for (const [ending, text] of [
    ['crt', 'chain'],
    ['key', 'key'],
  ] as const) {
    const file = state.copyFile('demo', `video-tls.${ending}`);
    expect(await readFile(file, 'utf8')).toBe(text);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  await rm(root, { recursive: true });
});

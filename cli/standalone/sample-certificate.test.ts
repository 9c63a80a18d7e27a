import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { type StateFolder, stateFolder } from '../../contract/state-folder.ts';
import { keepSampleCertificate } from './sample-certificate.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();

let state: StateFolder;
beforeEach(async () => {
  state = stateFolder(await mkdtemp(join(tmpdir(), 'weir-sample-')));
});
afterEach(() => rm(state.root, { recursive: true }));

const zone = {
  name: 'cdn.example.net',
  nameServers: [{ name: 'ns1.example.net' }],
  soa: { contact: 'h.example.net' },
};

async function keep(hostnames: string[], now = NOW): Promise<X509Certificate> {
  const sampleCertificate = { namespace: 'demo', name: 'video', hostnames };
  await keepSampleCertificate({ state, config: weirConfig.parse({ zones: [zone], sampleCertificate }) }, now);
  const { metadata, stringData } = parse(await readFile(state.sampleSecret, 'utf8'));
  expect(metadata).toEqual({ namespace: 'demo', name: 'video' });
  const certificate = new X509Certificate(stringData['tls.crt']);
  const ca = new X509Certificate(await readFile(state.sampleBundle));
  expect(certificate.verify(ca.publicKey)).toBe(true);
  return certificate;
}

test('is made once, and anew for other hostnames and before its end, by the same CA', async () => {
  const first = await keep(['video.example.com']);
  expect(first.checkHost('video.example.com')).toBe('video.example.com');
  const ca = await readFile(state.sampleBundle, 'utf8');
  expect((await keep(['video.example.com'], NOW + 59 * DAY_MS)).serialNumber).toBe(first.serialNumber);
  const second = await keep(['video.example.com', 'b.example.com']);
  expect(second.checkHost('b.example.com')).toBe('b.example.com');
  const third = await keep(['video.example.com', 'b.example.com'], NOW + 61 * DAY_MS);
  expect(third.serialNumber).not.toBe(second.serialNumber);
  expect(await readFile(state.sampleBundle, 'utf8')).toBe(ca);
});

test('its keys are for their owner alone', async () => {
  await keep(['video.example.com']);
  for (const file of [state.sampleSecret, state.sampleCa])
    expect((await stat(file)).mode & 0o777).toBe(0o600);
});

/** Two certificates of a domain, from manifests to a handshake: each client is shown the chain that it can check. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { type TestPair, testCa } from '../../operator/testing/certificates.ts';
import { cdnDomain, prepareSystem, type System, tlsSecret } from './programs.ts';

const run = promisify(execFile);
const DAY_MS = 24 * 3_600_000;
/** A machine with other work to do takes its time to start two programs. */
const READY_WITHIN_MS = 50_000;
const HOSTNAME = 'video.example.com';

let system: System;
let given: { ecdsa: TestPair; rsa: TestPair };

beforeAll(async () => {
  const ca = await testCa();
  const [notBefore, notAfter] = [-DAY_MS, 90 * DAY_MS].map((ms) => new Date(Date.now() + ms).toISOString());
  const wish = { names: [HOSTNAME], ...(notBefore && { notBefore }), ...(notAfter && { notAfter }) };
  given = { ecdsa: await ca.issue(wish), rsa: await ca.issue({ ...wish, rsa: true }) };
  system = await prepareSystem();
  const pairs = Object.entries(given);
  await system.write('domain.yaml', [
    ...pairs.map(([name, pair]) => tlsSecret(name, pair)),
    ...pairs.map(([name]) => certificate(name)),
    // Nobody asks for more than a handshake: the origin is never spoken to.
    cdnDomain('video', HOSTNAME, 9, { tls: { certificateRefs: pairs.map(([name]) => ({ name })) } }),
  ]);
  system.startOperator();
  system.startEdge('bj-1');
  await eventually(async () => {
    expect(await shownTo('rsa_pss_rsae_sha256')).toBe(fingerprint(given.rsa));
    expect(await shownTo('ecdsa_secp256r1_sha256')).toBe(fingerprint(given.ecdsa));
  }, READY_WITHIN_MS);
}, 60_000);

afterAll(() => system.stop());

const certificate = (name: string) => ({
  apiVersion: 'cdn.weir.dev/v1alpha1',
  kind: 'Certificate',
  metadata: { name, namespace: 'demo' },
  spec: { hostnames: [HOSTNAME], secretRef: { name } },
});
const fingerprint = (pair: TestPair) => new X509Certificate(pair['tls.crt']).fingerprint256;

/** Rejects where there is no handshake. */
async function shownTo(sigalgs: string, version = '-tls1_3'): Promise<string> {
  const at = ['-connect', `127.0.1.1:${system.ports.https}`, '-servername', HOSTNAME];
  const client = run('openssl', ['s_client', ...at, version, '-sigalgs', sigalgs]);
  client.child.stdin?.end();
  return new X509Certificate((await client).stdout.replace(/^[\s\S]*?(?=-----BEGIN)/, '')).fingerprint256;
}

test.each(['-tls1_3', '-tls1_2'])('by the signatures that a client takes (%s)', async (version) => {
  expect(await shownTo('rsa_pss_rsae_sha256', version)).toBe(fingerprint(given.rsa));
  expect(await shownTo('ecdsa_secp256r1_sha256', version)).toBe(fingerprint(given.ecdsa));
});

test('one that takes both gets ECDSA, which costs less, whatever it names first', async () => {
  expect(await shownTo('rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256')).toBe(fingerprint(given.ecdsa));
});

test('one that takes neither is refused', async () => {
  await expect(shownTo('ed25519')).rejects.toThrow(/handshake failure/);
});

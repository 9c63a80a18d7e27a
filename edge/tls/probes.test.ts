/** What scanners of TLS look for (testssl.sh and its like), asked by `openssl s_client`: what is old or weak is not spoken. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { secretsOf, testCa, tlsWith } from '../testing/certificates.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from '../testing/test-edge.ts';

const HOST = 'video.example.com';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeAll(async () => {
  const ca = await testCa();
  const both = [await ca.issue('demo/ec', [HOST]), await ca.issue('demo/rsa', [HOST], 'RSA')];
  origin = await startScriptOrigin((_, response) => void response.end('hello'));
  const domains = [domainOf(origin.url, { hostnames: [HOST], tls: tlsWith(both) })];
  edge = await startTestEdge({ origin: origin.url, secrets: secretsOf(both), domains });
});
afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

/** All that openssl says, of a connection on which `input` is typed once it stands. */
function probe(args: string, input = 'Q\n'): Promise<string> {
  const at = ['-connect', `127.0.0.1:${edge.tlsPort}`, '-servername', HOST];
  const child = spawn('openssl', ['s_client', ...at, ...args.split(' ').filter(Boolean)]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      const stood = said.includes('Verify return code');
      said += chunk.toString();
      // It takes a letter for a command where it comes by itself.
      if (!stood && said.includes('Verify return code')) child.stdin.write(input);
    });
  child.stdin.on('error', () => {});
  return new Promise((resolve) => child.once('exit', () => resolve(said)));
}

test.each([
  ['TLS 1.0', '-tls1 -cipher ALL:@SECLEVEL=0', 'alert protocol version'],
  ['TLS 1.1', '-tls1_1 -cipher ALL:@SECLEVEL=0', 'alert protocol version'],
  ['keys without forward secrecy', '-tls1_2 -cipher kRSA:@SECLEVEL=0', 'alert handshake failure'],
  ['nobody’s certificate', '-tls1_2 -cipher aNULL:@SECLEVEL=0', 'alert handshake failure'],
  ['no encryption', '-tls1_2 -cipher eNULL:@SECLEVEL=0', 'alert handshake failure'],
  ['CBC', '-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA', 'alert handshake failure'],
  ['SHA-1 as a signature', '-tls1_2 -sigalgs RSA+SHA1:ECDSA+SHA1 -cipher ALL:@SECLEVEL=0', 'alert'],
  ['a protocol above it that nobody speaks', '-alpn spdy/3', 'alert no application protocol'],
])('%s is refused by an alert', async (_, args, alert) => {
  const said = await probe(args);
  expect(said).toContain(alert);
  expect(said).toContain('Cipher is (NONE)');
});

test.each([
  ['ecdsa_secp256r1_sha256', 'id-ecPublicKey', 'Peer signature type: ECDSA'],
  ['rsa_pss_rsae_sha256', 'rsaEncryption', 'Peer signature type: RSA-PSS'],
])('a client that checks %s alone is shown a certificate of that kind', async (sigalgs, key, type) => {
  for (const version of ['-tls1_3', '-tls1_2']) {
    const said = await probe(`${version} -sigalgs ${sigalgs}`);
    expect(said).toContain(type);
    expect(said).toContain(key);
  }
});

test('nothing is compressed, and a renegotiation is told to be safe and refused', async () => {
  const said = await probe('-tls1_2 -comp', 'R\n');
  expect(said).toContain('Compression: NONE');
  expect(said).toContain('Secure Renegotiation IS supported');
  expect(said).toContain('no renegotiation');
});

test('HTTP/2 is chosen where both are offered, HTTP/1.1 where nothing is said', async () => {
  expect(await probe('-alpn h2,http/1.1')).toContain('ALPN protocol: h2');
  expect(await probe('')).toContain('No ALPN negotiated');
});

/** What can be told of a certificate and its key, and what is wrong with those that are of no use. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type TestPair, testCa } from '../testing/certificates.ts';
import { covers, readPair } from './pair.ts';

let ca: Awaited<ReturnType<typeof testCa>>;
let good: TestPair;
let other: TestPair;
beforeAll(async () => {
  ca = await testCa();
  good = await ca.issue({ names: ['video.example.com', '*.example.com'] });
  other = await ca.issue({ names: ['video.example.com'] });
});

test('the names, the dates and the type of key of a good one; the chain as it is given, the key as PKCS #8', async () => {
  expect(readPair(good['tls.crt'], good['tls.key'])).toMatchObject({
    dnsNames: ['video.example.com', '*.example.com'],
    notAfter: Date.parse('2027-06-01T00:00:00Z'),
    keyType: 'ECDSA',
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    value: expect.stringMatching(/"key":"-----BEGIN PRIVATE KEY/),
  });
  const rsa = await ca.issue({ names: ['a.example.com'], rsa: true });
  expect(readPair(rsa['tls.crt'], rsa['tls.key'])).toMatchObject({ keyType: 'RSA' });
});

test('one that OpenSSL serves nobody with is refused here, not found by an edge at a handshake', async () => {
  const weak = await ca.issue({ names: ['a.example.com'], weakIssuer: true });
  expect(readPair(weak['tls.crt'], weak['tls.key'])).toEqual({
    reason: 'CertificateInvalid',
    message: 'OpenSSL serves nobody with it: ca key too small',
  });
});

const leafOf = (text: string) => text.slice(0, text.indexOf('-----END CERTIFICATE-----') + 26);

test.each<[string, () => [string, string], string, string]>([
  ['no certificate', () => ['', good['tls.key']], 'CertificateInvalid', 'no certificate in PEM'],
  [
    'a damaged one',
    () => ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', good['tls.key']],
    'CertificateInvalid',
    'damaged',
  ],
  ['no key', () => [good['tls.crt'], 'nothing'], 'KeyInvalid', 'no private key'],
  ['the key of another', () => [good['tls.crt'], other['tls.key']], 'KeyMismatch', 'not the one'],
  [
    'a key with a passphrase',
    () => [good['tls.crt'], '-----BEGIN ENCRYPTED PRIVATE KEY-----'],
    'KeyInvalid',
    'passphrase',
  ],
  [
    'a chain that is out of order',
    () => [`${leafOf(good['tls.crt'])}\n${ca.root}\n${ca.middle}`, good['tls.key']],
    'ChainInvalid',
    'certificate 1',
  ],
  [
    'another leaf as issuer',
    () => [`${leafOf(good['tls.crt'])}\n${other['tls.crt']}`, good['tls.key']],
    'ChainInvalid',
    'certificate 1',
  ],
])('%s is refused, and nothing of it is told', (_, pair, reason, message) => {
  const fault = readPair(...pair());
  expect(fault).toMatchObject({ reason, message: expect.stringContaining(message) });
  expect(JSON.stringify(fault)).not.toMatch(/BEGIN|MII/);
});

describe('a name in a certificate', () => {
  test.each([
    [['video.example.com'], 'video.example.com', true],
    [['*.example.com'], 'video.example.com', true],
    [['*.example.com'], 'a.video.example.com', false],
    [['*.example.com'], 'example.com', false],
    [['*.example.com'], '*.example.com', true],
    [['example.com'], 'video.example.com', false],
  ])('%j is one for %s: %s', (names, hostname, is) => {
    expect(covers(names, hostname)).toBe(is);
  });
});

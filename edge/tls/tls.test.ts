/** HTTPS from outside: which certificate, which version, who is refused, and that the answers are those of plain HTTP. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import { secretsOf, type TestCa, type TestCertificate, testCa, tlsWith } from '../testing/certificates.ts';
import { rawExchange } from '../testing/raw-exchange.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge, type TestEdgeOptions } from '../testing/test-edge.ts';
import { openSecure, secureExchange } from '../testing/tls-exchange.ts';

const VIDEO = ['video.example.com', 'v2.example.com'];

let ca: TestCa;
let ec: TestCertificate;
let rsa: TestCertificate;
let other: TestCertificate;
let origin: ScriptOrigin;
let edge: TestEdge;

beforeAll(async () => {
  ca = await testCa();
  ec = await ca.issue('demo/ec', VIDEO);
  rsa = await ca.issue('demo/rsa', VIDEO, 'RSA');
  other = await ca.issue('demo/other', ['other.example.com']);
});

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=600', 'content-type': 'text/plain' });
    response.end(request.url === '/large' ? Buffer.alloc(3_000_000, 'x') : 'hello');
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const video = (tls = tlsWith([ec, rsa])) => domainOf(origin.url, { tls });
const otherDomain = (more = {}) =>
  domainOf(origin.url, { uid: 'uid-other', name: 'other', hostnames: ['other.example.com'], ...more });

async function start(options: Partial<TestEdgeOptions> = {}) {
  edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf([ec, rsa, other]),
    domains: [video()],
    // The tests’ clients wait for the end.
    settings: { limits: { idleTimeout: '200ms' } },
    ...options,
  });
}

const ask = (options: ConnectionOptions = {}, request?: string) =>
  secureExchange(edge.tlsPort, { ca: ca.ca, servername: 'video.example.com', ...options }, request);
const handshakes = (result: string, version = '') =>
  edge.metric('tls_handshakes_total', `{result="${result}",version="${version}"}`);

describe('a handshake', () => {
  test('is of TLS 1.3 and 1.2, and of none before', async () => {
    await start();
    expect(await ask()).toMatchObject({ status: 200, version: 'TLSv1.3', keyType: 'EC' });
    expect(await ask({ maxVersion: 'TLSv1.2' })).toMatchObject({ status: 200, version: 'TLSv1.2' });
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(ask(old)).rejects.toThrow(/protocol version|unsupported protocol/i);
    expect(await handshakes('full', 'TLSv1.3')).toBe(1);
    expect(await handshakes('failed')).toBe(1);
  });

  test('shows the certificate whose key the client takes', async () => {
    await start();
    expect((await ask({ sigalgs: 'rsa_pss_rsae_sha256' })).keyType).toBe('RSA');
    expect((await ask({ sigalgs: 'ecdsa_secp256r1_sha256' })).keyType).toBe('EC');
    const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256';
    expect((await ask({ maxVersion: 'TLSv1.2', ciphers })).keyType).toBe('RSA');
  });

  test('below the domain’s own version is refused, and other domains are not concerned', async () => {
    const strict = otherDomain({ tls: tlsWith([other], { minVersion: '1.3' }) });
    await start({ domains: [video(), strict] });
    const maxVersion = 'TLSv1.2';
    await expect(ask({ servername: 'other.example.com', maxVersion })).rejects.toThrow(/protocol version/i);
    expect((await ask({ servername: 'other.example.com' })).status).toBe(200);
    expect((await ask({ maxVersion })).status).toBe(200);
  });

  test.each([
    ['a name that nobody has', { servername: 'nobody.example.com' }],
    ['no name', { servername: '' }],
    ['a domain without TLS', { servername: 'other.example.com' }],
  ])('for %s is refused by an alert', async (_name, options) => {
    await start({ domains: [video(), otherDomain()] });
    await expect(ask(options)).rejects.toThrow(/unrecognized name/i);
    expect(await handshakes('unknownName')).toBe(1);
  });

  test('for unknown names has the certificate of the default domain, where there is one', async () => {
    const settings = { edge: { tls: { defaultDomain: 'demo/video' } } };
    await start({ settings });
    const options = { servername: 'nobody.example.com', checkServerIdentity: () => undefined };
    const reply = await ask(options);
    expect(reply).toMatchObject({ status: 421, keyType: 'EC' });
    expect(
      (
        await ask(
          { ...options, servername: '' },
          'GET /a HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\n\r\n',
        )
      ).status,
    ).toBe(200);
    // A probe asks by address.
    const health = 'GET /.weir/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';
    await eventually(async () => {
      edge.clock.advance(1_000);
      expect((await ask({ ...options, servername: '' }, health)).status).toBe(200);
    });
  });

  test('without a certificate that could be shown is refused, and served from when it comes', async () => {
    await start({ secrets: new Map() });
    await expect(ask()).rejects.toThrow(/internal error/i);
    expect(await handshakes('noCertificate')).toBe(1);
    edge.secrets(secretsOf([ec]));
    expect((await ask()).status).toBe(200);
    const broken = { ...ec, value: JSON.stringify({ chain: ec.chain, key: rsa.key }) };
    edge.secrets(secretsOf([broken, rsa]));
    expect((await ask()).keyType).toBe('RSA');
  });

  test('for a certificate that OpenSSL does not take is refused, and the edge goes on', async () => {
    const weak = await ca.issue('demo/other', ['other.example.com'], 'shortRSA');
    await start({
      domains: [video(), otherDomain({ tls: tlsWith([weak]) })],
      secrets: secretsOf([ec, rsa, weak]),
    });
    await expect(ask({ servername: 'other.example.com' })).rejects.toThrow(/internal error/i);
    expect(await handshakes('noCertificate')).toBe(1);
    expect((await ask()).status).toBe(200);
  });

  test('is made with the other certificate, where OpenSSL takes one of two', async () => {
    const weak = await ca.issue('demo/weak', ['video.example.com'], 'shortRSA');
    await start({ domains: [video(tlsWith([weak, ec]))], secrets: secretsOf([ec, weak]) });
    expect((await ask()).keyType).toBe('EC');
  });

  test('in pieces is one all the same; what is none gets an alert, and a plain request an answer', async () => {
    await start();
    const plain = await rawExchange(edge.tlsPort, 'GET / HTTP/1.1\r\nHost: video.example.com\r\n\r\n');
    expect(plain).toMatch(/^HTTP\/1\.1 400 [\s\S]*speaks HTTPS/);
    expect(Buffer.from(await rawExchange(edge.tlsPort, '\x00\x01\x02'), 'latin1')).toEqual(
      Buffer.from([21, 3, 3, 0, 2, 2, 50]),
    );
    expect(await handshakes('notTls')).toBe(2);
  });

  test('that does not come, or stops half way, is cut off', async () => {
    await start({ settings: { limits: { headerTimeout: '200ms' } } });
    for (const bytes of ['', '\x16\x03\x01\x02\x00\x01\x00']) await rawExchange(edge.tlsPort, bytes);
    expect(await handshakes('timeout')).toBe(2);
    expect(await edge.metric('limited_total', '{limit="handshakeTime"}')).toBe(2);
  });

  test('that does not come is cut off, however many there are', async () => {
    await start({ settings: { limits: { headerTimeout: '200ms' } } });
    await Promise.all(Array.from({ length: 600 }, () => cutOff('\x16')));
    await eventually(async () => expect(await handshakes('timeout')).toBe(600));
  });
});

/** By a reset, too, where what is written comes when it is over. */
function cutOff(bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectPlain(edge.tlsPort, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.on('error', () => {}).on('close', () => resolve());
    socket.resume();
  });
}

describe('a certificate that is replaced', () => {
  test('is shown from the next handshake on, and connections that are open go on', async () => {
    await start({ domains: [video(tlsWith([ec]))] });
    const open = await openSecure(edge.tlsPort, { ca: ca.ca, servername: 'video.example.com' });
    const first = (await ask()).serial;
    const newer = await ca.issue('demo/ec', VIDEO);
    edge.secrets(secretsOf([newer]));
    await edge.publish([video(tlsWith([newer]))]);
    expect((await ask()).serial).not.toBe(first);
    let text = '';
    open.on('data', (data) => {
      text += data;
    });
    open.write('GET /a HTTP/1.1\r\nHost: video.example.com\r\n\r\n');
    await eventually(() => expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*hello$/));
    open.destroy();
  });
});

describe('a session', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s is resumed, also after a restart', async (maxVersion) => {
    await start();
    const { session, resumed } = await ask({ maxVersion });
    expect(resumed).toBe(false);
    expect((await ask({ maxVersion, session })).resumed).toBe(true);
    expect(await handshakes('resumed', maxVersion)).toBe(1);
    await edge.stop();
    await start({ state: edge.state });
    expect((await ask({ maxVersion, session })).resumed).toBe(true);
  });

  test('is not one of another domain, and ends with the key of its day', async () => {
    const wide = await ca.issue('demo/wide', ['*.example.com']);
    const domains = [video(tlsWith([wide])), otherDomain({ tls: tlsWith([wide]) })];
    await start({ domains, secrets: secretsOf([wide]) });
    const { session } = await ask();
    expect((await ask({ session, servername: 'other.example.com' })).resumed).toBe(false);
    expect((await ask({ session })).resumed).toBe(true);
    edge.clock.advance(12 * 3_600_000);
    expect((await ask({ session })).resumed).toBe(false);
  });
});

describe('a request', () => {
  const get = (host: string, path = '/a', more = 'Connection: close\r\n') =>
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

  test('has the cache of plain HTTP; the origin hears the scheme', async () => {
    await start();
    expect((await ask()).text).toMatch(/fwd=uri-miss/);
    expect(origin.requests[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https' });
    expect((await edge.get('/a')).headers['cache-status']).toMatch(/; hit/);
    await edge.get('/b');
    expect((await ask({}, get('video.example.com', '/b'))).text).toMatch(/; hit/);
    expect(origin.requests).toHaveLength(2);
  });

  test('that is a plain hit takes the fast path', async () => {
    await start();
    await ask();
    const keep = get('video.example.com', '/a', '');
    const before = await edge.metric('fast_hits_total');
    const { text } = await ask({}, keep);
    expect(text).toMatch(/; hit/);
    expect(await edge.metric('fast_hits_total')).toBe(before + 1);
  });

  test('for a large body comes whole, over and over on one connection', async () => {
    await start();
    const large = get('video.example.com', '/large', '');
    const last = get('video.example.com', '/large');
    const { text } = await ask({}, large + large + last);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    expect(text.length).toBeGreaterThan(9_000_000);
  });

  test('for a host that the certificate is not for: 421, and for one that it covers not', async () => {
    const wide = await ca.issue('demo/wide', ['*.example.com']);
    const domains = [video(tlsWith([wide])), otherDomain({ tls: tlsWith([wide], { minVersion: '1.3' }) })];
    await start({ domains, secrets: secretsOf([wide]) });
    expect((await ask({}, get('other.example.com'))).status).toBe(200);
    // The other domain wants more than this connection has.
    expect((await ask({ maxVersion: 'TLSv1.2' }, get('other.example.com'))).status).toBe(421);
    expect((await ask({}, get('unknown.example.com'))).status).toBe(404);
    expect((await ask({}, get('elsewhere.test'))).status).toBe(421);
    await edge.publish([video(), otherDomain({ tls: tlsWith([other]) })]);
    edge.secrets(secretsOf([ec, rsa, other]));
    for (let turn = 0; turn < 2; turn++) {
      expect((await ask({}, get('other.example.com', '/a', ''))).status).toBe(421);
      await ask({ servername: 'other.example.com' });
    }
    expect((await ask({}, get('v2.example.com'))).status).toBe(200);
    expect((await ask({}, get('any', '/.weir/health'))).status).not.toBe(421);
  });

  test('is redirected where the domain says so, with its method; ACME is not', async () => {
    await start({ domains: [video(tlsWith([ec], { redirect: true }))] });
    const reply = await edge.get('/a?x=%41');
    expect(reply.status).toBe(301);
    expect(reply.headers.location).toBe('https://video.example.com/a?x=%41');
    expect((await edge.get('/a', { method: 'POST', body: 'x' })).status).toBe(308);
    const onPort = await edge.get('/a', { host: `video.example.com:${edge.port}` });
    expect(onPort.headers.location).toBe(`https://video.example.com:${edge.tlsPort}/a`);
    expect((await edge.get('/.well-known/acme-challenge/x')).status).toBe(200);
    // A plain hit is none over plain HTTP.
    await ask();
    expect((await edge.get('/a', { headers: { connection: 'keep-alive' } })).status).toBe(301);
    expect((await ask()).text).toMatch(/; hit/);
  });

  test('hears the domain’s HSTS over TLS alone, and not its origin’s', async () => {
    await start({ domains: [video(tlsWith([ec], { hsts: 'max-age=300' }))] });
    origin.answer((_request, response) => {
      const headers = { 'cache-control': 'max-age=600', 'strict-transport-security': 'max-age=1' };
      response.writeHead(200, headers).end('hello');
    });
    for (let turn = 0; turn < 3; turn++) {
      const { text } = await ask({}, get('video.example.com', '/a', turn === 2 ? '' : undefined));
      expect(text.match(/strict-transport-security: .*/g)).toEqual([
        'strict-transport-security: max-age=300',
      ]);
      const headers = turn === 2 ? { connection: 'keep-alive' } : {};
      expect((await edge.get('/a', { headers })).headers['strict-transport-security']).toBeUndefined();
    }
  });
});

test('a client that reads too slowly is cut off, as over plain HTTP', async () => {
  await start({ settings: { limits: { minimumRate: '10KiB', minimumRateWindow: '1m' } } });
  await ask({}, 'GET /large HTTP/1.1\r\nHost: video.example.com\r\nConnection: close\r\n\r\n');
  const slow = await openSecure(edge.tlsPort, { ca: ca.ca, servername: 'video.example.com' });
  slow.pause();
  slow.write('GET /large HTTP/1.1\r\nHost: video.example.com\r\n\r\n'.repeat(10));
  const cut = new Promise((resolve) => slow.once('close', resolve));
  await eventually(async () => {
    await sleep(20);
    edge.clock.advance(60_000);
    expect(await edge.metric('limited_total', '{limit="minimumRate"}')).toBe(1);
  });
  slow.resume();
  await cut;
});

test('connections of one client are limited before they cost a handshake', async () => {
  await start({ settings: { limits: { connectionsPerClient: 1, exempt: ['192.0.2.0/24'] } } });
  const held = connectPlain(edge.tlsPort, '127.0.0.1');
  await new Promise((resolve) => held.once('connect', resolve));
  await eventually(() => expect(ask()).rejects.toThrow(/disconnected|ECONNRESET|hang up/));
  held.destroy();
  await eventually(async () => expect((await ask()).status).toBe(200));
});

test('with several workers: one ticket key, and a certificate that is in force in all', async () => {
  process.env.WEIR_LOG_LEVEL = 'silent';
  await start({ settings: { edge: { workers: 2 } } });
  const { session } = await ask();
  const replies = await Promise.all(Array.from({ length: 16 }, () => ask({ session })));
  expect(replies.every(({ resumed, status }) => resumed && status === 200)).toBe(true);
  const newer = await ca.issue('demo/ec', VIDEO);
  edge.secrets(secretsOf([newer]));
  await edge.publish([video(tlsWith([newer]))]);
  const serials = await Promise.all(Array.from({ length: 16 }, () => ask()));
  expect(new Set(serials.map(({ serial }) => serial)).size).toBe(1);
  expect(await edge.metric('tls_handshakes_total', '{result="resumed",version="TLSv1.3"}')).toBe(16);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'several workers learn of the next ticket key one after the other, which ends no handshake of %s',
  async (maxVersion) => {
    process.env.WEIR_LOG_LEVEL = 'silent';
    const settings = { edge: { workers: 2 } };
    await start({ settings });
    await edge.stop();
    // Half a minute before its end: workers have no time to hear of each tick of twelve hours.
    const file = join(edge.state, 'ticket-key.json');
    const kept = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...kept, made: edge.clock.now() - 12 * 3_600_000 + 30_000 }));
    await start({ settings, state: edge.state, clock: edge.clock });
    const askAll = (session: Buffer | undefined) =>
      Promise.all(Array.from({ length: 16 }, () => ask({ maxVersion, session })));
    const { session: previous } = await ask({ maxVersion });
    expect((await askAll(previous)).every(({ resumed }) => resumed)).toBe(true);
    edge.clock.advance(60_000);
    let asked = 0;
    await eventually(async () => {
      const replies = await askAll(previous);
      asked += replies.length;
      expect(replies.every(({ status }) => status === 200)).toBe(true);
      // A worker that has not heard of it yet resumes.
      expect(replies.some(({ resumed }) => resumed)).toBe(false);
    });
    const { session: next } = await ask({ maxVersion });
    expect((await askAll(next)).every(({ resumed, status }) => resumed && status === 200)).toBe(true);
    const [full, resumed] = [await handshakes('full', maxVersion), await handshakes('resumed', maxVersion)];
    expect(full).toBeGreaterThanOrEqual(1 + 16 + 1);
    expect(full + resumed).toBe(1 + 16 + asked + 1 + 16);
    expect(await handshakes('failed')).toBe(0);
  },
);

test('stops while a connection is open, and one is shaking hands', async () => {
  await start();
  const open = await openSecure(edge.tlsPort, { ca: ca.ca, servername: 'video.example.com' });
  const half = connectPlain(edge.tlsPort, '127.0.0.1').on('error', () => {});
  await new Promise((resolve) => half.once('connect', resolve));
  const begin = performance.now();
  await edge.stop();
  expect(performance.now() - begin).toBeLessThan(3_000);
  open.destroy();
  edge = await startTestEdge({ origin: origin.url, state: edge.state });
});

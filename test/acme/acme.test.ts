/**
 * Certificates ordered from a real ACME server (pebble), which asks our own dns-server and our own edge: issued
 * both ways, renewed, and what happens when the server or the order goes wrong.
 */
import type { ServerResponse } from 'node:http';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { manifest } from '../../operator/testing/manifests.ts';
import { type Installation, startInstallation, ZONE } from './installation.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { pebbleProgram } from './pebble-program.ts';

const SOON = { timeout: 60_000, interval: 100 };
const HOST = `video.default.${ZONE}`;

let weir: Installation;
let pebble: Pebble;

beforeEach(async () => {
  weir = await startInstallation();
  const { ports, base, resolver } = weir;
  pebble = await startPebble({ folder: base, dnsServer: resolver.address, httpPort: ports.http });
}, 60_000);
afterEach(async () => {
  await pebble?.stop();
  await weir.stop();
});

const order = (spec: object, acme: object = {}, metadata: object = {}) =>
  weir.write(
    'certificate.yaml',
    manifest(
      'Certificate',
      { name: 'video', ...metadata },
      { hostnames: [HOST], ...spec, acme: { server: pebble.directory, caBundle: pebble.ca, ...acme } },
    ),
  );

const issuedAs = async (digest?: string) =>
  vi.waitFor(async () => {
    const found = await weir.issued();
    expect(found.issued).toMatchObject({ status: 'True', reason: 'Issued' });
    if (digest !== undefined) expect(found.digest).not.toBe(digest);
    return found;
  }, SOON);

const failedWith = (reason: string, message = '') =>
  vi.waitFor(
    async () =>
      expect((await weir.issued()).issued).toMatchObject({
        reason,
        message: expect.stringContaining(message),
      }),
    SOON,
  );

/** What a client is shown. */
const shown = (servername: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(
      { host: '127.0.0.1', port: weir.ports.https, servername, rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '');
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });

describe.runIf(pebbleProgram)('a certificate by ACME', () => {
  test('HTTP01: the edge answers for the order, and serves with what comes of it', async () => {
    await order({});
    const { serialNumber, renewalTime, notAfter } = await issuedAs();
    await vi.waitFor(async () => expect(await shown(HOST)).toBe(serialNumber), SOON);
    expect(Date.parse(renewalTime ?? '')).toBeLessThan(Date.parse(notAfter ?? ''));
    // The token is gone from the plan.
    const answer = await fetch(`http://127.0.0.1:${weir.ports.http}/.well-known/acme-challenge/x`);
    expect(answer.status).not.toBe(200);
  }, 120_000);

  test('DNS01: a wildcard and the name above it, by two values at one name', async () => {
    await order({ hostnames: [HOST, `*.${HOST}`] }, { challenge: 'DNS01', keyType: 'RSA' });
    const { serialNumber, acmeTarget } = await issuedAs();
    expect(acmeTarget).toBe(`video.default._acme.${ZONE}`);
    await vi.waitFor(async () => expect(await shown(HOST)).toBe(serialNumber), SOON);
  }, 120_000);

  test('is renewed in time, and when somebody asks for it, as after a revocation', async () => {
    const orderedAt: number[] = [];
    pebble.fault = (path, response) => {
      if (path.startsWith('/order-plz')) orderedAt.push(weir.clock.now());
      // The server has no wishes of its own: its window would move the time while this test looks at it.
      if (!path.includes('renewalInfo')) return false;
      problem(response, 404, 'malformed', 'no renewal information');
      return true;
    };
    await order({});
    const first = await issuedAs();
    const due = Date.parse(first.renewalTime ?? '');
    weir.clock.later(due - weir.clock.now() - 3_000);
    const second = await issuedAs(first.digest);
    expect(orderedAt[1]).toBeGreaterThanOrEqual(due);
    await vi.waitFor(async () => expect(await shown(HOST)).toBe(second.serialNumber), SOON);
    const before = new Date(weir.clock.now()).toISOString();
    await order({}, {}, { annotations: { 'cdn.weir.dev/renew-before': before } });
    await issuedAs(second.digest);
  }, 120_000);

  test('a challenge that fails: the reason is told, and it is tried again', async () => {
    await order({ hostnames: [HOST, 'nobody.example.org'] });
    await failedWith(
      'NoDomain',
      'no accepted CdnDomain of namespace default has the hostname nobody.example.org',
    );
    // The server refuses a name for good.
    pebble.fault = (path, response) => {
      if (!path.startsWith('/order-plz')) return false;
      problem(response, 403, 'rejectedIdentifier', 'not this one');
      return true;
    };
    await order({});
    await failedWith('RejectedIdentifier', 'not this one');
    pebble.fault = undefined;
    await issuedAs();
  }, 120_000);

  test('what the server would find wrong is said before it is asked, with what to put where', async () => {
    const cnames: string[] = [];
    Object.assign(weir.answers, { cname: async () => cnames, caa: async () => [] });
    await weir.restart();
    await order({ hostnames: ['*.example.org'] }, { challenge: 'DNS01' });
    const target = `video.default._acme.${ZONE}`;
    await failedWith(
      'CnameMissing',
      `make _acme-challenge.example.org a CNAME of ${target}; now there is none`,
    );
    expect((await weir.issued()).acmeTarget).toBe(target);
    expect(pebble.seen.filter((line) => line.includes('order-plz'))).toEqual([]);
    // Once it is there, the value stands at the target.
    cnames.push(target);
    await vi.waitFor(() => expect(pebble.seen.some((line) => line.includes('order-plz'))).toBe(true), SOON);
  }, 120_000);

  test('a server that is down, that fails, and that limits: said, and tried again until it is well', async () => {
    pebble.fault = (_, response) => Boolean(response.destroy());
    await order({});
    await failedWith('ServerUnreachable');
    pebble.fault = (_, response) => {
      problem(response, 503, 'serverInternal', 'not now');
      return true;
    };
    await failedWith('ServerFailed', 'not now');
    const refusedAt: number[] = [];
    pebble.fault = (path, response) => {
      if (!path.startsWith('/order-plz')) return false;
      refusedAt.push(performance.now());
      response.setHeader('retry-after', '3');
      problem(response, 429, 'rateLimited', 'too many');
      return true;
    };
    await failedWith('RateLimited', 'too many');
    await vi.waitFor(() => expect(refusedAt.length).toBeGreaterThan(1), SOON);
    const [once = 0, again = 0] = refusedAt;
    // Its own pace is a second at most: it keeps to the server's word.
    expect(again - once).toBeGreaterThanOrEqual(3_000);
    pebble.fault = undefined;
    await issuedAs();
  }, 120_000);

  test('a chain that is none, or for another key: refused, nothing is in force, and the next one is taken', async () => {
    pebble.fault = (path, response) => {
      if (!path.startsWith('/certZ')) return false;
      response
        .writeHead(200, { 'content-type': 'application/pem-certificate-chain', 'replay-nonce': 'x' })
        .end(pebble.ca);
      return true;
    };
    await order({});
    await failedWith('BadCertificate', 'of no use');
    expect((await weir.issued()).digest).toBeUndefined();
    pebble.fault = undefined;
    await issuedAs();
  }, 120_000);

  test('the leader ends in the middle of an order: the next one takes it up, with the same account', async () => {
    let held = false;
    pebble.fault = async (path, response) => {
      if (!path.startsWith('/finalize-order')) return false;
      held = true;
      response.destroy();
      return true;
    };
    await order({});
    await vi.waitFor(() => expect(held).toBe(true), SOON);
    await weir.restart();
    pebble.fault = undefined;
    await issuedAs();
    const made = (path: string) => pebble.answered.filter((line) => line === `201 ${path}`).length;
    expect([made('/sign-me-up'), made('/order-plz')]).toEqual([1, 1]);
  }, 120_000);

  test('no key of an order or an account is in a log', async () => {
    await order({});
    await issuedAs();
    expect(weir.lines.length).toBeGreaterThan(5);
    expect(JSON.stringify(weir.lines)).not.toContain('PRIVATE KEY');
  }, 120_000);
});

function problem(response: ServerResponse, status: number, type: string, detail: string): void {
  const body = JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail });
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(body);
}

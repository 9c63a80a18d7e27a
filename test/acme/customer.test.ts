/**
 * As customers have it: a name in a zone of their own whose `_acme-challenge` is a CNAME into Weir's, a server that finds
 * something else there, one that wants an account of its own, and one that says when to renew.
 */
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { manifest } from '../../operator/testing/manifests.ts';
import { type Installation, startInstallation, ZONE } from './installation.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { pebbleProgram } from './pebble-program.ts';

const SOON = { timeout: 60_000, interval: 100 };
const HOST = 'www.customer.test';
const TARGET = `video.default._acme.${ZONE}`;

let weir: Installation;
let pebble: Pebble | undefined;

beforeEach(async () => {
  weir = await startInstallation();
}, 60_000);
afterEach(async () => {
  await pebble?.stop();
  pebble = undefined;
  await weir.stop();
});

async function server(binding?: Record<string, string>): Promise<Pebble> {
  const { ports, base, resolver } = weir;
  pebble = await startPebble({
    folder: base,
    dnsServer: resolver.address,
    httpPort: ports.http,
    ...(binding && { binding }),
  });
  return pebble;
}

const order = ({ directory, ca }: Pebble, acme: object = {}, hostnames = [HOST]) =>
  weir.write(
    'certificate.yaml',
    manifest(
      'Certificate',
      { name: 'video' },
      { hostnames, acme: { server: directory, caBundle: ca, challenge: 'DNS01', ...acme } },
    ),
  );

const issued = (digest?: string) =>
  vi.waitFor(async () => {
    const found = await weir.issued();
    expect(found.issued).toMatchObject({ status: 'True', reason: 'Issued' });
    if (digest !== undefined) expect(found.digest).not.toBe(digest);
    return found;
  }, SOON);

const failed = (reason: string, ...messages: string[]) =>
  vi.waitFor(async () => {
    const found = (await weir.issued()).issued;
    expect(found?.reason).toBe(reason);
    for (const message of messages) expect(found?.message).toContain(message);
  }, SOON);

const chainShown = (servername: string) =>
  new Promise<X509Certificate>((resolve, reject) => {
    const at = { host: '127.0.0.1', port: weir.ports.https, servername, rejectUnauthorized: false };
    const socket = connect(at, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.once('error', reject);
  });

describe.runIf(pebbleProgram)('a customer', () => {
  test('DNS01 through a CNAME of the customer’s zone: asked for in words, then found, and served', async () => {
    await weir.write(
      'video.yaml',
      manifest(
        'CdnDomain',
        { name: 'video' },
        {
          hostname: HOST,
          origins: [{ name: 'main', url: 'http://192.0.2.1' }],
          tls: { certificateRef: { name: 'video' } },
        },
      ),
    );
    const acme = await server();
    await order(acme, {}, [HOST, `*.${HOST}`]);
    await failed('CnameMissing', `make _acme-challenge.${HOST} a CNAME of ${TARGET}; now there is none`);
    expect(acme.seen.filter((line) => line.includes('order-plz'))).toEqual([]);
    weir.resolver.cnames.set(`_acme-challenge.${HOST}`, TARGET);
    const { serialNumber } = await issued();
    await vi.waitFor(
      async () => expect((await chainShown(HOST)).serialNumber.toLowerCase()).toBe(serialNumber),
      SOON,
    );
  }, 120_000);

  test('a server that finds another value: its own words, and a new order at the pace of refusals', async () => {
    weir.resolver.cnames.set(`_acme-challenge.${HOST}`, TARGET);
    weir.resolver.lie = 'something else';
    const acme = await server();
    await order(acme);
    await failed('Unauthorized', `unauthorized: ${HOST}: `, 'tried again');
    weir.resolver.lie = undefined;
    await issued();
    const orders = acme.answered.filter((line) => line === '201 /order-plz').length;
    expect(orders).toBeGreaterThan(1);
  }, 120_000);

  test('an account that is bound to one elsewhere: what is missing is said, and its key signs', async () => {
    weir.resolver.cnames.set(`_acme-challenge.${HOST}`, TARGET);
    const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const acme = await server({ 'kid-1': hmacKey });
    await order(acme);
    await failed('ExternalAccountRequired');
    const externalAccountBinding = { keyId: 'kid-1', secretRef: { name: 'binding' } };
    await order(acme, { externalAccountBinding });
    await failed('BindingKeyMissing', 'the Secret binding');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'binding' } };
    await weir.write('secret.yaml', stringify({ ...secret, stringData: { key: hmacKey } }));
    await issued();
    expect(JSON.stringify(weir.lines)).not.toContain(hmacKey);
  }, 120_000);

  test.runIf(pebbleProgram?.knowsRenewalInformation)(
    'a server that says when: renewed then, as the one that it replaces (RFC 9773)',
    async () => {
      weir.resolver.cnames.set(`_acme-challenge.${HOST}`, TARGET);
      await weir.write(
        'video.yaml',
        manifest(
          'CdnDomain',
          { name: 'video' },
          {
            hostname: HOST,
            origins: [{ name: 'main', url: 'http://192.0.2.1' }],
            tls: { certificateRef: { name: 'video' } },
          },
        ),
      );
      const acme = await server();
      await order(acme);
      const first = await issued();
      await vi.waitFor(() => expect(acme.seen.some((line) => line.includes('renewalInfo'))).toBe(true), SOON);
      const shown = await vi.waitFor(() => chainShown(HOST), SOON);
      const day = 86_400_000;
      const start = new Date(Date.now() - 2 * day);
      await acme.suggest(shown.toString(), { start, end: new Date(start.getTime() + day) });
      // Its word of before stands six hours.
      weir.clock.later(7 * 3_600_000);
      await issued(first.digest);
      const orders = acme.payloads
        .filter(({ answered }) => answered === '201 /order-plz')
        .map(({ payload }) => payload);
      expect(orders.at(-1)).toMatchObject({
        replaces: expect.stringMatching(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
      });
      expect(orders.filter((payload) => JSON.stringify(payload).includes('replaces'))).toHaveLength(1);
    },
    120_000,
  );
});

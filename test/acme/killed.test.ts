/**
 * The operator is killed in the middle of an order, at each step after which something could be lost: the next one goes on
 * with the same account, order and key, and one certificate comes of it.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { manifest } from '../../operator/testing/manifests.ts';
import { type Installation, startInstallation, ZONE } from './installation.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { pebbleProgram } from './pebble-program.ts';

const SOON = { timeout: 60_000, interval: 100 };

let weir: Installation;
let pebble: Pebble;

beforeEach(async () => {
  weir = await startInstallation();
  const { ports, base, resolver } = weir;
  pebble = await startPebble({ folder: base, dnsServer: resolver.address, httpPort: ports.http });
  await weir.apart();
}, 60_000);
afterEach(async () => {
  await pebble?.stop();
  await weir.stop();
});

const made = (path: string) => pebble.answered.filter((line) => line === `201 ${path}`).length;

describe.runIf(pebbleProgram)('killed', () => {
  test.each([
    ['the order was made, and is written down', '/authZ', 'request'],
    ['the challenge stands everywhere, and the server was not told', '/chalZ', 'request'],
    ['the server was told to look, and its answer is lost', '/chalZ', 'answer'],
    ['the order was finalized, and the answer is lost', '/finalize-order', 'answer'],
    ['the certificate was made, and not fetched', '/certZ', 'request'],
    ['the certificate was fetched, and lost on its way', '/certZ', 'answer'],
  ])(
    'when %s: it is taken up there',
    async (_, step, what) => {
      const reached = Promise.withResolvers<void>();
      const meets = (path: string) => {
        if (!path.startsWith(step)) return false;
        reached.resolve();
        return true;
      };
      if (what === 'answer') pebble.losesAnswer = meets;
      // Neither passed on nor answered: it is on its way while the operator ends.
      else pebble.fault = meets;
      const acme = { server: pebble.directory, caBundle: pebble.ca };
      await weir.write(
        'certificate.yaml',
        manifest('Certificate', { name: 'video' }, { hostnames: [`video.default.${ZONE}`], acme }),
      );
      await reached.promise;
      const killing = weir.killed();
      pebble.fault = undefined;
      pebble.losesAnswer = undefined;
      await killing;
      const { digest } = await vi.waitFor(async () => {
        const found = await weir.issued();
        expect(found.issued).toMatchObject({ status: 'True', reason: 'Issued' });
        return found;
      }, SOON);
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect([made('/sign-me-up'), made('/order-plz')]).toEqual([1, 1]);
      expect(weir.logged()).not.toContain('PRIVATE KEY');
    },
    120_000,
  );
});

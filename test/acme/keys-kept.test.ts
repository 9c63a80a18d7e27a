/**
 * Private keys lie where they may and nowhere else: given in a Secret, and ordered from an ACME server. They are looked
 * for as PEM, as base64 and raw bytes of their DER, and as the number itself, in all files below the state folders, the
 * whole log down to `trace`, what the operator's API and the metrics tell, and what a dns-server holds.
 */
import { readFile, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { testCa } from '../../operator/testing/certificates.ts';
import { filesBelow, filesHolding, holds, needlesOf } from '../../operator/testing/key-search.ts';
import { domainManifest, manifest } from '../../operator/testing/manifests.ts';
import { type Installation, startInstallation, ZONE } from './installation.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { pebbleProgram } from './pebble-program.ts';

const SOON = { timeout: 60_000, interval: 100 };
const GIVEN = `given.default.${ZONE}`;
const PEM = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----/g;

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

/** Files with the key, by their path below the state folder, each with its mode. */
async function whereIs(needles: readonly Buffer[], state: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of await filesHolding(needles, state)) {
    const { mode } = await stat(file);
    found.push(`${(mode & 0o777).toString(8)} ${relative(state, file).replace(/[^/]*$/, '')}`);
  }
  return found.sort();
}

describe.runIf(pebbleProgram)('a private key', () => {
  test('is in the vault and at the edge, mode 0600, and nowhere else', async () => {
    const pair = await (await testCa()).issue({ names: [GIVEN] });
    const data = Object.entries(pair).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
    const secret = { name: 'given', namespace: 'default' };
    await weir.write(
      'given.yaml',
      [
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/tls',
          metadata: secret,
          data: Object.fromEntries(data),
        }),
        manifest('Certificate', { name: 'given' }, { hostnames: [GIVEN], secretRef: { name: 'given' } }),
        domainManifest('given', { hostname: GIVEN, tls: { certificateRef: { name: 'given' } } }),
      ].join('\n---\n'),
    );
    await weir.write(
      'certificate.yaml',
      manifest(
        'Certificate',
        { name: 'video' },
        {
          hostnames: [`video.default.${ZONE}`],
          acme: { server: pebble.directory, caBundle: pebble.ca },
        },
      ),
    );
    await vi.waitFor(async () => {
      for (const name of ['given', 'video'])
        expect((await weir.issued(name)).issued).toMatchObject({ status: 'True' });
    }, SOON);

    const vault = (
      await Promise.all((await filesBelow(weir.state.vault)).map((file) => readFile(file, 'utf8')))
    )
      .join('\n')
      // An entry is JSON, and its value is.
      .replace(/\\+n/g, '\n');
    const keys = new Map([...vault.matchAll(PEM)].map(([pem]) => [pem, needlesOf(pem)]));
    // The one that was given, the one that was ordered, and the account's at the ACME server.
    expect(keys.size).toBe(3);
    const given = needlesOf(pair['tls.key']);
    expect(
      [...keys.values()].some((needles) => needles.some((needle) => given.some((own) => own.equals(needle)))),
    ).toBe(true);

    const atEdge = `600 ${relative(weir.state.root, weir.state.edge('a'))}/secrets/`;
    await vi.waitFor(
      async () => expect(await whereIs(given, weir.state.root)).toEqual([atEdge, '600 vault/']),
      SOON,
    );
    const told = await weir.told();
    expect(told.map(({ length }) => length > 100)).toEqual(told.map(() => true));
    for (const needles of keys.values()) {
      const places = await whereIs(needles, weir.state.root);
      expect(places.filter((place) => place !== atEdge && place !== '600 vault/')).toEqual([]);
      expect(places).toContain('600 vault/');
      for (const text of told) expect(holds(Buffer.from(text), needles)).toBe(false);
    }
  }, 180_000);
});

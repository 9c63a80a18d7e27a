/** `probes.ca` of weir.yaml from outside: dns-servers verify edges by a CA that only this company has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { askUdp, decode, queryBytes } from '../../dns-server/testing/ask.ts';
import { testCa } from '../../edge/testing/certificates.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { temporaryFolder } from '../testing/run-weir.ts';
import { SMALLEST_SETTINGS } from './testing/settings.ts';

const started: ChildProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

const HOSTNAME = 'video.example.com';
const head = { apiVersion: 'cdn.weir.dev/v1alpha1' };

/** All of them serve the same certificate: what differs is the name that it must be valid for. */
const node = (name: string, address: string, ports: { http: number; https: number }, hostname: string) => ({
  ...head,
  kind: 'EdgeNode',
  metadata: { name },
  spec: {
    addresses: [address],
    ports,
    region: 'all',
    healthCheck: {
      protocol: 'HTTPS',
      hostname,
      verifyCertificate: true,
      interval: '500ms',
      timeout: '2s',
    },
  },
});

const domain = {
  ...head,
  kind: 'CdnDomain',
  metadata: { name: 'video', namespace: 'demo' },
  spec: {
    hostname: HOSTNAME,
    origins: [{ name: 'main', url: 'http://127.0.0.1:1' }],
    tls: { secretRef: { name: 'video' } },
  },
};

/** Four programs of Node.js start, on whatever else a machine does. */
const until = (check: () => Promise<void>) => eventually(check, 90_000);

test('edges are in the answers as long as their certificates are of that CA', {
  timeout: 240_000,
}, async () => {
  const [dns, dnsAdmin, operator, edgeAdminPort, http, https] = await Promise.all(
    Array.from({ length: 6 }, freePort) as [Promise<number>, ...Promise<number>[]],
  );
  if (!dns || !http || !https) throw new Error('no ports');
  const ca = await testCa();
  const { chain, key } = await ca.issue('demo/video', [HOSTNAME]);
  const folder = await temporaryFolder({
    'weir.yaml': stringify({
      ...SMALLEST_SETTINGS,
      probes: { ca: 'certificates/company.pem' },
      listen: {
        dns: [`127.0.0.1:${dns}`],
        dnsAdmin: `127.0.0.1:${dnsAdmin}`,
        operator: `127.0.0.1:${operator}`,
        edgeAdminPort,
      },
    }),
    'certificates/company.pem': ca.ca,
    'domain.yaml': stringify(domain),
    'video.crt': chain,
    'video.key': key,
    'nodes.yaml': [
      node('known', '127.0.1.1', { http, https }, HOSTNAME),
      node('stranger', '127.0.2.1', { http, https }, 'other.example.com'),
    ]
      .map((document) => stringify(document))
      .join('---\n'),
  });
  const launcher = join(import.meta.dirname, '../weir.mjs');
  const args = [launcher, 'standalone', folder, '--state', await temporaryFolder()];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  started.push(child);

  const health = async () => {
    const { body } = await request(`http://127.0.0.1:${dnsAdmin}/metrics`);
    const rows = (await body.text()).matchAll(/^weir_dns_address_healthy\{node="(\S+)",.*\} (\d)$/gm);
    return Object.fromEntries([...rows].map(([, name = '', up]) => [name, up]));
  };
  await until(async () => expect(await health()).toEqual({ known: '1', stranger: '0' }));
  await until(async () => {
    const answer = await askUdp({ host: '127.0.0.1', port: dns }, queryBytes('video.demo.cdn.example.net'));
    const { answers = [] } = decode(answer ?? Buffer.alloc(0));
    expect(answers.map((record) => 'data' in record && record.data)).toEqual(['127.0.1.1']);
  });

  // Another CA in the same file: the edge's certificate is no longer of one that is trusted.
  await writeFile(join(folder, 'certificates/company.pem'), (await testCa()).ca);
  await until(async () => expect(await health()).toEqual({ known: '0', stranger: '0' }));
});

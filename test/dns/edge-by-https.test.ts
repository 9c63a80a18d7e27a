/** A dns-server that probes Weir's own edge by HTTPS: SNI, the edge's certificate, and a CA that only this company has. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDomain, testNode, testPlan } from '../../dns-server/testing/routing-plan.ts';
import { secretsOf, type TestCa, testCa, tlsWith } from '../../edge/testing/certificates.ts';
import { domainOf, startTestEdge, type TestEdge } from '../../edge/testing/test-edge.ts';
import { serve } from './serving.ts';

const HOSTNAME = 'video.example.com';

let ca: TestCa;
let edge: TestEdge;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-ca-'));
  ca = await testCa();
  await writeFile(join(folder, 'ca.pem'), `the company's own\n${ca.ca}`);
  const origin = 'http://127.0.0.1:1';
  const certificate = await ca.issue('demo/video', [HOSTNAME]);
  const tls = tlsWith([certificate]);
  edge = await startTestEdge({
    origin,
    secrets: secretsOf([certificate]),
    domains: [domainOf(origin, { tls })],
  });
  // Until then it waits for what the operator may have to say.
  edge.clock.advance(500);
});
afterAll(async () => {
  await edge.stop();
  await edge.remove();
  await rm(folder, { recursive: true });
});

function planOf() {
  const node = (name: string, hostname: string, verify: boolean) => {
    const { healthCheck } = testNode(name, 'us-west');
    const check = { protocol: 'HTTPS' as const, port: edge.tlsPort, tls: { hostname, verify } };
    return testNode(name, 'us-west', { addresses: ['127.0.0.1'], healthCheck: { ...healthCheck, ...check } });
  };
  return testPlan({
    nodes: [
      node('verified', HOSTNAME, true),
      node('stranger', 'other.example.com', true),
      node('any', HOSTNAME, false),
    ],
    domains: [testDomain({ answers: 3 })],
  });
}

/** Which nodes count as up after the first round of probes. */
const health = async (probeCa?: string) => {
  const serving = await serve(planOf(), 'off', { ...(probeCa && { probeCa }) });
  const text = await serving.metrics();
  await serving.stop();
  const rows = text.matchAll(/^weir_dns_address_healthy\{node="(\S+)",address="127.0.0.1"\} (\d)$/gm);
  return Object.fromEntries([...rows].map(([, node = '', up]) => [node, up === '1']));
};

// All nodes are this one edge: what differs is what is asked of it.
test('with the CA the edge is up by the name that it has a certificate for, and down by another', async () => {
  expect(await health(join(folder, 'ca.pem'))).toEqual({ verified: true, stranger: false, any: true });
});

test('without it the edge is up where its certificate is not verified', async () => {
  expect(await health()).toEqual({ verified: false, stranger: false, any: true });
});

test('a file without a certificate is told at the start', async () => {
  await writeFile(join(folder, 'empty.pem'), '');
  await expect(health(join(folder, 'empty.pem'))).rejects.toThrow('empty.pem: no certificate in PEM');
});

import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { edgeNode } from '../../contract/kinds/edge-node.ts';
import { listen } from '../../lib/listen.ts';
import { formatListenAddress } from '../../lib/listen-address.ts';
import { checkPlaces } from './check-places.ts';
import { localEdges } from './local-edges.ts';
import type { Program } from './programs.ts';

const program = (...hostsAndPorts: [string, number][]): Program => ({
  name: 'edge zz-1',
  module: 'edge/main',
  args: [],
  places: hostsAndPorts.map(([host, port]) => ({
    address: { host, port },
    protocol: 'tcp',
    setting: 'EdgeNode zz-1: spec.ports.http',
  })),
  stage: 0,
  readyUrl: '',
});

test('a port that another program has is named, with the setting that wants it', async () => {
  const server = createServer();
  const address = await listen(server, { host: '127.0.0.1', port: 0 });
  expect((await checkPlaces([program([address.host, address.port])])).lines).toEqual([
    `${formatListenAddress(address)} (tcp, EdgeNode zz-1: spec.ports.http) is in use by another program`,
  ]);
  server.close();
});

test('only ports in use may become free while one waits', async () => {
  const mayPass = async (...codes: (string | undefined)[]) => {
    const table = [program(...codes.map((_, index): [string, number] => ['127.0.0.1', index + 1]))];
    return (await checkPlaces(table, async ({ port }) => codes[port - 1])).mayPass;
  };
  expect(await mayPass('EADDRINUSE', undefined)).toBe(true);
  expect(await mayPass('EADDRINUSE', 'EACCES')).toBe(false);
});

test('where loopback addresses have to be made first, the lines that make them are all that is said', async () => {
  const macOs = async ({ host }: { host: string }) => (host === '127.0.0.1' ? undefined : 'EADDRNOTAVAIL');
  const table = [
    program(['127.0.1.1', 8080], ['127.0.1.1', 8701]),
    program(['127.0.2.1', 8080], ['127.0.0.1', 53]),
  ];
  expect((await checkPlaces(table, macOs)).lines).toEqual([
    'this system does not have these loopback addresses yet; run, and start again:',
    'sudo ifconfig lo0 alias 127.0.1.1 up',
    'sudo ifconfig lo0 alias 127.0.2.1 up',
  ]);
});

test('one place that two settings want', async () => {
  const free = async () => undefined;
  expect((await checkPlaces([program(['127.0.0.1', 80], ['127.0.0.1', 80])], free)).lines).toEqual([
    '127.0.0.1:80 (tcp) is set twice: EdgeNode zz-1: spec.ports.http, EdgeNode zz-1: spec.ports.http',
  ]);
});

test.each([
  ['EACCES', '192.0.2.1', 'may not be bound by this user; ports below 1024 need root, or another port'],
  ['EADDRNOTAVAIL', '192.0.2.1', 'is no address of this machine'],
  ['EMFILE', '127.0.0.1', 'can not be bound: EMFILE'],
])('%s', async (code, host, words) => {
  const { lines, mayPass } = await checkPlaces([program([host, 80])], async () => code);
  const [line] = lines;
  expect(mayPass).toBe(false);
  expect(line).toContain(words);
});

test('an edge is here when its first address is; further ones are served where they are', async () => {
  const spec = (...addresses: string[]) => edgeNode.spec.parse({ addresses, region: 'all' });
  const nodes = [
    { name: 'loopback', spec: spec('127.0.9.1') },
    { name: 'here', spec: spec('192.0.2.1', '192.0.2.2', '192.0.2.3') },
    { name: 'elsewhere', spec: spec('192.0.2.2', '192.0.2.1') },
  ];
  const here = async (address: string) => address === '192.0.2.1' || address === '192.0.2.3';
  const { edges, elsewhere } = await localEdges(nodes, here);
  expect(edges.map(({ name, addresses, port }) => ({ name, addresses, port }))).toEqual([
    { name: 'loopback', addresses: ['127.0.9.1'], port: 80 },
    { name: 'here', addresses: ['192.0.2.1', '192.0.2.3'], port: 80 },
  ]);
  expect(elsewhere).toEqual(['elsewhere']);
});

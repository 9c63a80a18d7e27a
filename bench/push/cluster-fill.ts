/** The fleet in the API server, and changes of it. */
import { API_VERSION } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { inParallel } from '../../lib/in-parallel.ts';
import type { KubernetesApi } from '../../operator/kubernetes/api.ts';
import { apiObject, objectPath } from '../../operator/kubernetes/objects.ts';
import { domainManifest, domainName, namespaceOf, nodeManifest } from '../compile/fleet.ts';

const WRITES_AT_ONCE = 24;
const GROUP_PATH = `/apis/${API_VERSION}`;

export const nowMs = () => performance.timeOrigin + performance.now();
const count = (length: number) => Array.from({ length }, (_, index) => index);

export async function fill(api: KubernetesApi, domains: number, nodes: number): Promise<void> {
  const namespaces = new Set(['weir-system', ...count(domains).map(namespaceOf)]);
  await inParallel(namespaces, WRITES_AT_ONCE, async (name) => {
    await api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  await inParallel(count(nodes), WRITES_AT_ONCE, async (index) => {
    await api.create(`${GROUP_PATH}/${KINDS.EdgeNode.plural}`, nodeManifest(index));
  });
  await inParallel(count(domains), WRITES_AT_ONCE, async (index) => {
    const path = `${GROUP_PATH}/namespaces/${namespaceOf(index)}/${KINDS.CdnDomain.plural}`;
    await api.create(path, domainManifest(index));
  });
}

/** Resolves with the time of the API server's answer, milliseconds since the epoch. */
export async function changeDomain(api: KubernetesApi, index: number, port: number): Promise<number> {
  const ref = { kind: 'CdnDomain' as const, namespace: namespaceOf(index), name: domainName(index) };
  await api.apply(objectPath(ref), 'bench', domainManifest(index, port));
  return nowMs();
}

export async function createPurge(
  api: KubernetesApi,
  index: number,
  name: string,
): Promise<{ at: number; uid: string }> {
  const namespace = namespaceOf(index);
  const job = await api.create(`${GROUP_PATH}/namespaces/${namespace}/${KINDS.PurgeJob.plural}`, {
    apiVersion: API_VERSION,
    kind: 'PurgeJob',
    metadata: { name, namespace },
    spec: { domainRef: { name: domainName(index) }, everything: true },
  });
  return { at: nowMs(), uid: apiObject.parse(job).metadata.uid };
}

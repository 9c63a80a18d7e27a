/**
 * Copies as Secrets of tenants: owned by their Certificate, so that they go with it. The operator applies each by its name,
 * which is all that a tenant has to grant it, and reads none.
 */
import { API_VERSION } from '../../contract/kinds/kind.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { CopyRefused, type WriteCopy } from './copies.ts';

const FIELD_MANAGER = 'weir-operator';

/** `mayWrite` throws while another replica may be the leader. */
export function copySecrets(api: KubernetesApi, mayWrite: () => void): WriteCopy {
  return async ({ owner, secretName, chain, key }) => {
    const { namespace, name, uid } = owner.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: {
        name: secretName,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'weir' },
        ownerReferences: [{ apiVersion: API_VERSION, kind: 'Certificate', name, uid, controller: true }],
      },
      data: { 'tls.crt': base64(chain), 'tls.key': base64(key) },
    };
    mayWrite();
    const path = `/api/v1/namespaces/${namespace}/secrets/${secretName}`;
    try {
      await api.apply(path, FIELD_MANAGER, body, { force: false });
    } catch (error) {
      throw refusalOf(error, `${namespace}/${secretName}`) ?? error;
    }
  };
}

/** What the API server says may quote what was sent. */
function refusalOf(error: unknown, place: string): CopyRefused | undefined {
  const [namespace = '', name = ''] = place.split('/');
  if (hasStatus(error, 403)) {
    const right = `create and patch secrets with resourceNames [${name}] in namespace ${namespace}`;
    return new CopyRefused(
      'SecretForbidden',
      `the operator may not write Secret ${place}: grant its ServiceAccount to ${right} (docs/tenancy.md)`,
    );
  }
  if (hasStatus(error, 409, 422))
    return new CopyRefused(
      'SecretTaken',
      `Secret ${place} is somebody else’s, or of another type: delete it, or choose another secretName`,
    );
  return undefined;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

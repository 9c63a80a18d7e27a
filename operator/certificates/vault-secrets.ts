/** The vault as Secrets in the operator's own namespace, one for each entry, found by their label. */
import { z } from 'zod';
import { GROUP } from '../../contract/kinds/kind.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { type ApiObject, apiObject, listAll } from '../kubernetes/objects.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import type { WatchMetrics } from '../kubernetes/watch-metrics.ts';
import { entryId, type Vault, type VaultValues } from './vault.ts';

const LABEL = `${GROUP}/vault`;
const NAME = `${GROUP}/vault-entry`;
const SELECTION = { labelSelector: `${LABEL}=true` };

const secret = apiObject.extend({ data: z.object({ value: z.string().default('') }).default({ value: '' }) });

interface VaultSecretsOptions {
  api: KubernetesApi;
  /** The operator's own. */
  namespace: string;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
}

export class VaultSecrets implements Vault {
  readonly #options: VaultSecretsOptions;
  readonly #folder: string;
  /** What was written here and the watch has not shown yet. */
  readonly #ahead = new Map<string, string | undefined>();
  #seen: VaultValues = new Map();
  #tell = () => {};

  constructor(options: VaultSecretsOptions) {
    this.#options = options;
    this.#folder = `/api/v1/namespaces/${options.namespace}/secrets`;
  }

  async read(): Promise<VaultValues> {
    const { api } = this.#options;
    const { objects } = await listAll((path, query) => api.get(path, query), this.#folder, SELECTION);
    return valuesOf(objects);
  }

  async write(name: string, value: string | undefined): Promise<void> {
    const { api, mayWrite } = this.#options;
    this.#ahead.set(name, value);
    this.#tell();
    const path = `${this.#folder}/${objectName(name)}`;
    mayWrite();
    if (value === undefined)
      return api.remove(path).catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error;
      });
    const body = this.#objectOf(name, value);
    try {
      await api.create(this.#folder, body);
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      // Only a leader writes, and mayWrite says that this is it: there is nothing to be lost by replacing.
      await api.replace(path, body);
    }
  }

  follow(onValues: (values: VaultValues) => void): () => Promise<void> {
    const reflector = new Reflector({
      ...this.#options,
      path: this.#folder,
      selection: SELECTION,
      resource: 'vault',
    });
    this.#tell = () => onValues(this.#merged());
    reflector.start(() => {
      this.#seen = valuesOf(reflector.objects()?.values() ?? []);
      for (const [name, value] of this.#ahead) if (this.#seen.get(name) === value) this.#ahead.delete(name);
      this.#tell();
    });
    return () => {
      this.#tell = () => {};
      return reflector.stop();
    };
  }

  #merged(): VaultValues {
    const merged = new Map(this.#seen);
    for (const [name, value] of this.#ahead) {
      if (value === undefined) merged.delete(name);
      else merged.set(name, value);
    }
    return merged;
  }

  #objectOf(name: string, value: string) {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: {
        name: objectName(name),
        namespace: this.#options.namespace,
        labels: { [LABEL]: 'true', 'app.kubernetes.io/managed-by': 'weir' },
        annotations: { [NAME]: name },
      },
      data: { value: Buffer.from(value).toString('base64') },
    };
  }
}

const objectName = (name: string) => `weir-vault-${entryId(name)}`;

function valuesOf(objects: Iterable<ApiObject>): VaultValues {
  const rows = [...objects].flatMap((object) => {
    const name = object.metadata.annotations?.[NAME];
    return name === undefined ? [] : [[name, decodedValue(object)] as const];
  });
  return new Map(rows);
}

const decoded = new WeakMap<ApiObject, string>();

/** Ten thousand of them, of which one changed. */
function decodedValue(object: ApiObject): string {
  const known = decoded.get(object);
  if (known !== undefined) return known;
  const value = Buffer.from(secret.parse(object).data.value, 'base64').toString();
  decoded.set(object, value);
  return value;
}

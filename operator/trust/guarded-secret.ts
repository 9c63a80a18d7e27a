/** A guarded value in a Secret of the operator's namespace: the API server compares resourceVersions. */
import { z } from 'zod';
import { parsedJson } from '../../lib/parsed-json.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { type GuardedStore, type Kept, Stale, Unreadable } from './guarded-store.ts';

const DATA_KEY = 'value.json';

const secret = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).optional(),
});

interface Place {
  api: KubernetesApi;
  namespace: string;
  name: string;
}

export function guardedSecret<T>({ api, namespace, name }: Place, schema: z.ZodType<T>): GuardedStore<T> {
  const folder = `/api/v1/namespaces/${namespace}/secrets`;
  const path = `${folder}/${name}`;
  const parse = (answer: unknown): Kept<T> => {
    const { metadata, data } = secret.parse(answer);
    const text = Buffer.from(data?.[DATA_KEY] ?? '', 'base64').toString();
    const value = schema.safeParse(parsedJson(text));
    // Never with what stands there.
    if (!value.success)
      throw new Unreadable(`Secret ${namespace}/${name}: ${DATA_KEY} is not what Weir wrote`);
    return { value: value.data, version: metadata.resourceVersion };
  };
  return {
    async read() {
      try {
        return parse(await api.get(path));
      } catch (error) {
        if (hasStatus(error, 404)) return { value: undefined, version: undefined };
        throw error;
      }
    },
    async write(value, version) {
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace, ...(version !== undefined && { resourceVersion: version }) },
        type: 'Opaque',
        data: { [DATA_KEY]: Buffer.from(JSON.stringify(value)).toString('base64') },
      };
      try {
        return parse(version === undefined ? await api.create(folder, body) : await api.replace(path, body));
      } catch (error) {
        // 404: it was deleted since it was read.
        if (hasStatus(error, 404, 409)) throw new Stale(`Secret ${namespace}/${name} has changed`);
        throw error;
      }
    },
  };
}

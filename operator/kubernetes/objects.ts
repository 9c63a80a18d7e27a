/** What every object of the Kubernetes API has, and where it is found. Pure. */
import { z } from 'zod';
import { GROUP, type KindDefinition, type KindName, VERSION } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';

const texts = z.record(z.string(), z.string());

export const apiObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.int().optional(),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().optional(),
    labels: texts.optional(),
    annotations: texts.optional(),
  }),
});

export type ApiObject = z.infer<typeof apiObject>;

/** `managedFields` are half of all that there is in ten thousand objects, and every look of the garbage collector's. */
export function withoutOwners(object: ApiObject): ApiObject {
  const { managedFields: _owners, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What is only looked at when it is shown. */
export function withoutStatus(object: ApiObject): ApiObject {
  const { status: _status, ...kept } = object;
  return kept;
}

const page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(apiObject),
});

/** The objects of a kind, in one namespace or in all; nodes are in none. */
export function collectionPath({ plural, scope }: KindDefinition, namespace?: string): string {
  const place = scope === 'Namespaced' && namespace !== undefined ? `namespaces/${namespace}/` : '';
  return `/apis/${GROUP}/${VERSION}/${place}${plural}`;
}

/** What has to be read of a kind: all of it, or where only some namespaces count, those of its objects. */
export function collectionPaths(kind: KindDefinition, namespaces: readonly string[] | undefined): string[] {
  if (!namespaces || kind.scope === 'Cluster') return [collectionPath(kind)];
  return namespaces.map((namespace) => collectionPath(kind, namespace));
}

/** Collections one after the other, as one. */
export async function listEach(
  get: Parameters<typeof listAll>[0],
  paths: readonly string[],
  query: Record<string, string> = {},
): Promise<ApiObject[]> {
  const lists = await Promise.all(paths.map((path) => listAll(get, path, query)));
  return lists.flatMap(({ objects }) => objects);
}

export function objectPath({ kind, namespace, name }: ObjectRef): string {
  return `${collectionPath(KINDS[kind], namespace)}/${name}`;
}

export function refOfObject(kind: KindName, { metadata: { name, namespace = '' } }: ApiObject): ObjectRef {
  return { kind, namespace, name };
}

/** Enough for one answer of the API server to stay small, and for ten thousand objects to take few. */
const PAGE = 500;

/** A whole collection as it is now, page by page, and the version from which to watch on. */
export async function listAll(
  get: (path: string, query: Record<string, string | number>) => Promise<unknown>,
  path: string,
  query: Record<string, string> = {},
): Promise<{ objects: ApiObject[]; version: string }> {
  const objects: ApiObject[] = [];
  let next: string | undefined;
  for (;;) {
    const answer = await get(path, { ...query, limit: PAGE, ...(next && { continue: next }) });
    const { items, metadata } = page.parse(answer);
    objects.push(...items);
    next = metadata.continue;
    if (!next) return { objects, version: metadata.resourceVersion };
  }
}

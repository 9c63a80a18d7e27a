/** An object of the API as a manifest: what its owner wrote, and who it is. Pure. */
import { API_VERSION, type KindName } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import { memoWith } from '../../../lib/memo.ts';
import { type ApiObject, refOfObject } from '../../kubernetes/objects.ts';
import type { SourceDocument } from '../source.ts';

/** Metadata that servers and other controllers add is no business of ours. */
export const toDocument = (kind: KindName, object: ApiObject): SourceDocument => documentOf(object, kind);

/** The same document of the same object: what is made of it further on is made once. */
const documentOf = memoWith((object: ApiObject, kind: KindName): SourceDocument => {
  const { name, namespace, labels, annotations, uid, creationTimestamp, generation = 1 } = object.metadata;
  const owned = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
  };
  return {
    file: nameOf(kind, object),
    value: { apiVersion: API_VERSION, kind, metadata: owned, spec: object.spec },
    line: () => 1,
    server: { uid, generation, creationTimestamp },
  };
});

/** `cdndomains/demo/video`: where a problem stands. */
function nameOf(kind: KindName, object: ApiObject): string {
  const { namespace, name } = refOfObject(kind, object);
  return [KINDS[kind].plural, namespace, name].filter((part) => part !== '').join('/');
}

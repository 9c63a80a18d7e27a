/** An object of the API as a manifest: what its owner wrote, and who it is. Pure. */
import { API_VERSION, type KindName } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import { type ApiObject, refOfObject } from '../../kubernetes/objects.ts';
import type { SourceDocument } from '../source.ts';

/** Metadata that servers and other controllers add is no business of ours. */
export function toDocument(kind: KindName, object: ApiObject): SourceDocument {
  const { uid, creationTimestamp, generation = 1 } = object.metadata;
  return {
    file: nameOf(kind, object),
    value: { apiVersion: API_VERSION, kind, metadata: owned(object), spec: object.spec },
    line: () => 1,
    server: { uid, generation, creationTimestamp },
  };
}

/** Whether two states of one object are the same manifest: what differs is a status, or what other controllers note. */
export function isSameManifest(one: ApiObject, other: ApiObject): boolean {
  const [a, b] = [one.metadata, other.metadata];
  return (
    a.uid === b.uid &&
    a.generation === b.generation &&
    a.deletionTimestamp === b.deletionTimestamp &&
    JSON.stringify(owned(one)) === JSON.stringify(owned(other))
  );
}

function owned({ metadata: { name, namespace, labels, annotations } }: ApiObject) {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
  };
}

/** `cdndomains/demo/video`: where a problem stands. */
function nameOf(kind: KindName, object: ApiObject): string {
  const { namespace, name } = refOfObject(kind, object);
  return [KINDS[kind].plural, namespace, name].filter((part) => part !== '').join('/');
}

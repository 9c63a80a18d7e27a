/** A copy of one collection, or of the same kind of objects in several namespaces as if it were one. */
import type { ApiObject } from './objects.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';

export type Copy = Pick<Reflector, 'objects' | 'start' | 'stop'>;

export function reflect(paths: readonly string[], options: Omit<ReflectorOptions, 'path'>): Copy {
  const parts = paths.map((path) => {
    // Metrics and logs tell them apart.
    const [, namespace] = /\/namespaces\/([^/]+)\//.exec(path) ?? [];
    const resource = namespace === undefined ? options.resource : `${options.resource}/${namespace}`;
    return new Reflector({ ...options, path, resource });
  });
  return {
    /** Nothing before each was read once. */
    objects() {
      const copies = parts.map((part) => part.objects());
      const [only] = copies;
      if (copies.length === 1) return only;
      const all = new Map<string, ApiObject>();
      for (const copy of copies) {
        if (copy === undefined) return undefined;
        for (const [uid, object] of copy) all.set(uid, object);
      }
      return all;
    },
    start(onChange) {
      for (const part of parts) part.start(onChange);
    },
    async stop() {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}

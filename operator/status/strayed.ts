/**
 * Statuses in the cluster that are not what was written: somebody edited one, or it is lost. The copies of the source
 * show them; one that is older than our write shows nothing.
 */
import type { KindName } from '../../contract/kinds/kind.ts';
import { contains } from '../../lib/contains.ts';
import type { ApiObject } from '../kubernetes/objects.ts';
import type { Statuses, StatusRecord } from './record.ts';

/** The copy of a kind by uid, as the watch shows it. */
export type Copies = (kind: KindName) => ReadonlyMap<string, ApiObject> | undefined;

export class Strayed {
  readonly #copies: Copies;
  /** By uid, the version that was last found in order: it is not compared again. */
  readonly #looked = new Map<string, string>();

  constructor(copies: Copies) {
    this.#copies = copies;
  }

  /** `versionOf`: the object's version after our last write. Rows that others added to our lists are theirs. */
  among(statuses: Statuses, versionOf: (uid: string) => string | undefined): StatusRecord[] {
    return [...statuses.values()].filter(({ ref, uid, status }) => {
      const shown = this.#copies(ref.kind)?.get(uid);
      const written = versionOf(uid);
      if (!shown || written === undefined) return false;
      const { resourceVersion } = shown.metadata;
      if (this.#looked.get(uid) === resourceVersion || !isNewer(resourceVersion, written)) return false;
      if (!contains(shown.status, status) || foreignFields(shown.status, status).length > 0) return true;
      this.#looked.set(uid, resourceVersion);
      return false;
    });
  }

  forget(uid: string): void {
    this.#looked.delete(uid);
  }
}

/** Fields of a status that somebody else made up: it is ours, but for rows that others add to lists. */
export function foreignFields(shown: unknown, status: object): string[] {
  return Object.keys(Object(shown)).filter((name) => !Object.hasOwn(status, name));
}

/** Versions of one object are numbers that rise (KEP-5504); one that is none tells nothing. */
function isNewer(version: string, than: string): boolean {
  const numbers = /^\d+$/;
  return numbers.test(version) && numbers.test(than) && BigInt(version) > BigInt(than);
}

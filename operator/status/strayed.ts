/**
 * Statuses in the cluster that are not what was written: somebody edited one, or it is lost. The watches of the source
 * show them; one that is older than our write shows nothing.
 */
import { contains } from '../../lib/contains.ts';
import type { ApiObject } from '../kubernetes/objects.ts';
import type { Statuses, StatusRecord } from './record.ts';

export class Strayed {
  /** By uid, the objects whose status was written by whomever. */
  readonly #shown = new Map<string, ApiObject>();

  show(object: ApiObject): void {
    this.#shown.set(object.metadata.uid, object);
  }

  /** Whether there is something to look at. Most of what is shown is the echo of our own writes. */
  waits(versionOf: VersionOf): boolean {
    for (const [uid, { metadata }] of this.#shown) {
      const written = versionOf(uid);
      if (written === undefined || !isNewer(metadata.resourceVersion, written)) this.#shown.delete(uid);
    }
    return this.#shown.size > 0;
  }

  /** Rows that others added to our lists are theirs. */
  among(statuses: Statuses, versionOf: VersionOf): StatusRecord[] {
    if (!this.waits(versionOf)) return [];
    return [...statuses.values()].filter(({ uid, status }) => {
      const object = this.#shown.get(uid);
      if (!object) return false;
      const isOurs = contains(object.status, status) && foreignFields(object.status, status).length === 0;
      // One that is not may have to wait for its turn: it stays until our write is the newest.
      if (isOurs) this.#shown.delete(uid);
      return !isOurs;
    });
  }
}

/** The object's version after our last write. */
type VersionOf = (uid: string) => string | undefined;

/** Fields of a status that somebody else made up: it is ours, but for rows that others add to lists. */
export function foreignFields(shown: unknown, status: object): string[] {
  return Object.keys(Object(shown)).filter((name) => !Object.hasOwn(status, name));
}

/** Versions of one object are numbers that rise (KEP-5504); one that is none tells nothing. */
function isNewer(version: string, than: string): boolean {
  const numbers = /^\d+$/;
  return numbers.test(version) && numbers.test(than) && BigInt(version) > BigInt(than);
}

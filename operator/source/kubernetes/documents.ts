/**
 * The objects of all kinds as documents, sorted, and the Secrets that they name. Of ten thousand few are others from one
 * moment to the next: only those are looked at, and the same manifest stays the very same document.
 */
import type { KindName } from '../../../contract/kinds/kind.ts';
import type { ApiObject } from '../../kubernetes/objects.ts';
import type { SourceDocument } from '../source.ts';
import { secretsNamedBy } from './named-secrets.ts';
import { isSameManifest, toDocument } from './to-document.ts';

interface Row {
  object: ApiObject;
  /** Nothing of one that is going away: out of DNS first, whoever else still holds on to it. */
  document: SourceDocument | undefined;
}

export class Documents {
  /** By uid. */
  #rows = new Map<string, Row>();
  #sorted: readonly SourceDocument[] = [];
  #secrets: ReadonlySet<string> | undefined;

  /** Of this moment: another list when something changes. */
  get sorted(): readonly SourceDocument[] {
    return this.#sorted;
  }

  /** `namespace/name` */
  get secrets(): ReadonlySet<string> {
    this.#secrets ??= new Set([...this.#rows.values()].flatMap(({ object }) => secretsNamedBy(object)));
    return this.#secrets;
  }

  /** All that there is: any of it may be gone, new or changed. */
  replace(all: readonly (readonly [KindName, ReadonlyMap<string, ApiObject>])[]): void {
    const before = this.#rows;
    this.#rows = new Map(
      all.flatMap(([kind, objects]) =>
        [...objects].map(([uid, object]) => [uid, rowOf(kind, object, before.get(uid))] as const),
      ),
    );
    this.#secrets = undefined;
    this.#sorted = [...this.#rows.values()]
      .flatMap(({ document }) => document ?? [])
      .sort((a, b) => (a.file < b.file ? -1 : 1));
  }

  /** One object as it is now; nothing where it is gone. False where that is no other manifest. */
  put(kind: KindName, uid: string, object: ApiObject | undefined): boolean {
    const before = this.#rows.get(uid);
    const after = object && rowOf(kind, object, before);
    if (after) this.#rows.set(uid, after);
    else this.#rows.delete(uid);
    const namesOthers = namedBy(before) !== namedBy(after);
    if (namesOthers) this.#secrets = undefined;
    const isOther = before?.document !== after?.document;
    if (isOther) this.#sorted = sortedWith(this.#sorted, before?.document, after?.document);
    return isOther || namesOthers;
  }
}

function sortedWith(
  rows: readonly SourceDocument[],
  before: SourceDocument | undefined,
  after: SourceDocument | undefined,
): readonly SourceDocument[] {
  const sorted = [...rows];
  if (before) sorted.splice(sorted.indexOf(before, placeOf(sorted, before)), 1);
  if (after) sorted.splice(placeOf(sorted, after), 0, after);
  return sorted;
}

function rowOf(kind: KindName, object: ApiObject, known: Row | undefined): Row {
  if (object.metadata.deletionTimestamp !== undefined) return { object, document: undefined };
  const isKnown = known?.document && (known.object === object || isSameManifest(known.object, object));
  return { object, document: isKnown ? known.document : toDocument(kind, object) };
}

const namedBy = (row: Row | undefined) => row && secretsNamedBy(row.object).join(' ');

/** Where it stands, or would. */
function placeOf(sorted: readonly SourceDocument[], { file }: SourceDocument): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle]?.file ?? '') < file) from = middle + 1;
    else to = middle;
  }
  return from;
}

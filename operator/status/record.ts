/** What is written down of a resource: the status that people see, and what identifies the object it speaks of. */
import { z } from 'zod';
import type { KindName } from '../../contract/kinds/kind.ts';
import { KINDS, type Resource, type StatusOf } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { memo } from '../../lib/memo.ts';
import { refOf } from '../admit/snapshot.ts';
import type { Quarantined } from '../decide/quarantine.ts';

export interface StatusRecord<K extends KindName = KindName> {
  ref: ObjectRef & { kind: K };
  uid: string;
  generation: number;
  /** RFC 3339. */
  firstSeen: string;
  status: StatusOf[K];
}

/** By `resourceKey`. */
export type Statuses = ReadonlyMap<string, StatusRecord>;

const envelope = (kind: KindName) =>
  z.strictObject({
    uid: z.string(),
    generation: z.int(),
    firstSeen: z.string(),
    status: KINDS[kind].status,
  });

/** Reads a record back; throws when it is not one of ours. */
export function parseRecord(ref: ObjectRef, value: unknown): StatusRecord {
  const { uid, generation, firstSeen, status } = envelope(ref.kind).parse(value);
  return { ref, uid, generation, firstSeen, status };
}

export function statusOf<K extends KindName>(
  record: StatusRecord | undefined,
  kind: K,
): StatusOf[K] | undefined {
  return record?.ref.kind === kind ? (record.status as StatusOf[K]) : undefined;
}

export function record(
  resource: Resource,
  generation: number,
  status: StatusOf[KindName],
  old: StatusRecord | undefined,
): StatusRecord {
  const { uid, creationTimestamp } = resource.metadata;
  return unlessEqual({ ref: refOf(resource), uid, generation, firstSeen: creationTimestamp, status }, old);
}

/** The record before, where it says the same. */
export function unlessEqual(fresh: StatusRecord, old: StatusRecord | undefined): StatusRecord {
  return old && textOf(fresh) === textOf(old) ? old : fresh;
}

const textOf = memo<StatusRecord, string>(canonicalJson);

/** What agents refused, and which build of the operator put it aside. */
export function quarantinedStatus(
  refused: Quarantined | undefined,
  build = '',
): Pick<StatusOf['CdnDomain'], 'quarantined'> {
  if (!refused) return {};
  const { spec, by, message } = refused;
  return { quarantined: { spec, by, message: message.slice(0, 1_024), build } };
}

/** Join tokens as a list of records: which one is meant, whether it is good, and the list after it was used. Pure. */
import { z } from 'zod';
import type { NewJoinToken, RefusalReason } from '../../contract/stream/join.ts';
import {
  type JoinToken,
  type JoinTokenRecord,
  joinTokenRecord,
  secretHash,
} from '../../contract/trust/join-token.ts';

export const joinTokenRecords = z.array(joinTokenRecord);

/** One that is over is kept for a day, so that whoever tries it is told what became of it. */
const REMEMBERED_MS = 86_400_000;

export type Found = { record: JoinTokenRecord } | { reason: RefusalReason };

export function findToken(
  records: readonly JoinTokenRecord[],
  { id, secret }: JoinToken,
  now: number,
): Found {
  const record = records.find((candidate) => candidate.id === id);
  // Of digests: what the time of a comparison tells says nothing about the secret.
  if (!record || record.hash !== secretHash(secret)) return { reason: 'BadToken' };
  if (record.used !== undefined) return { reason: 'UsedToken' };
  return now >= record.expires ? { reason: 'ExpiredToken' } : { record };
}

export function spent(records: readonly JoinTokenRecord[], id: string, now: number): JoinTokenRecord[] {
  return records.map((record) => (record.id === id ? { ...record, used: now } : record));
}

export function added(
  records: readonly JoinTokenRecord[],
  { id, secret }: Pick<JoinToken, 'id' | 'secret'>,
  { role, node, lifetime }: NewJoinToken,
  now: number,
): JoinTokenRecord[] {
  const kept = records.filter(({ expires }) => now < expires + REMEMBERED_MS);
  const record = {
    id,
    hash: secretHash(secret),
    role,
    ...(node && { node }),
    made: now,
    expires: now + lifetime,
  };
  return [...kept, record];
}

export function revoked(records: readonly JoinTokenRecord[], id: string): JoinTokenRecord[] {
  return records.filter((record) => record.id !== id);
}

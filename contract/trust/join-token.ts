/**
 * The text of a join token:
 *
 *     weir1.<id>.<secret>.<digest of a CA>[.<digest of a CA>]
 *
 * Whoever has it can join once. The digests say which operator it is for: a machine that never met it trusts the one CA
 * that fits, and not the first that answers. While CAs are rotated there are two.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { role } from '../stream/messages.ts';

const TOKEN = /^weir1\.([a-z0-9]{8})\.([\w-]{43})((?:\.[\w-]{43}){1,3})$/;

export interface JoinToken {
  /** Names it in lists; no secret. */
  id: string;
  secret: string;
  authorities: string[];
}

export function formatJoinToken({ id, secret, authorities }: JoinToken): string {
  return ['weir1', id, secret, ...authorities].join('.');
}

/** Nothing when it is none. */
export function parseJoinToken(text: string): JoinToken | undefined {
  const [, id, secret, authorities] = TOKEN.exec(text.trim()) ?? [];
  if (id === undefined || secret === undefined || authorities === undefined) return undefined;
  return { id, secret, authorities: authorities.slice(1).split('.') };
}

/** What is stored. The secret has 256 bits of chance: there is nothing to guess, and so no salt. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** A token as it is stored and listed. Times are milliseconds since the epoch. */
export const joinTokenRecord = z.strictObject({
  id: z.string(),
  hash: z.string(),
  role,
  /** Nothing: a dns-server of any name. */
  node: z.string().optional(),
  made: z.int(),
  expires: z.int(),
  used: z.int().optional(),
});
export type JoinTokenRecord = z.infer<typeof joinTokenRecord>;

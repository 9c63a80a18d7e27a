/**
 * A secret that agents need to serve a plan: a signed zone's keys, the cookies' secret. Plans say that there is one, or
 * carry its digest; the value comes down the stream to those that need it, and lies in files of mode 0600. It is never
 * in plans, logs or Redis.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Becomes the name of a file. */
const name = z
  .string()
  .max(253)
  .regex(/^[a-z0-9_][-a-z0-9._]*$/);

export const agentSecret = z.strictObject({
  /** `cookie-secret`, `cdn.example.net.keys.json` */
  name,
  /** SHA-256 of the value, in hex: what a plan may name it by. */
  digest: z.string().length(64),
  value: z.string().max(2 ** 20),
});

export const secretName = name;

export type AgentSecret = z.infer<typeof agentSecret>;

/** Of all that an agent holds: which secrets, and with which values. Both sides work it out, and compare. */
export function secretSetDigest(secrets: Iterable<Pick<AgentSecret, 'name' | 'digest'>>): string {
  const lines = [...secrets].map(({ name: own, digest }) => `${own} ${digest}\n`);
  return secretDigest(lines.sort().join(''));
}

export function secretDigest(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

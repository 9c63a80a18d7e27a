/**
 * Who an agent is, as its certificate says it: one URI among the subject's alternative names.
 *
 *     weir://edge/zz-1?of=<incarnation>        weir://dns-server/dns-1
 *
 * The incarnation is of the EdgeNode at the time of joining. One that is removed and made again under the same name is
 * another, and so the certificate of the first is good for nothing: no list of removed nodes has to be kept.
 */
import { z } from 'zod';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import { role } from '../stream/messages.ts';

export const agentIdentity = z.strictObject({
  role,
  node: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'a name of small letters, digits, - and .'),
  incarnation: z.string().optional(),
});
export type CertifiedIdentity = z.infer<typeof agentIdentity>;

export function identityUri({ role: agentRole, node, incarnation }: CertifiedIdentity): string {
  return `weir://${agentRole}/${node}${incarnation === undefined ? '' : `?of=${incarnation}`}`;
}

/** Nothing for a URI of others. */
export function parseIdentityUri(text: string): CertifiedIdentity | undefined {
  const [, agentRole, node, incarnation] = /^weir:\/\/([^/?]+)\/([^/?]+)(?:\?of=(\w+))?$/.exec(text) ?? [];
  const given = { role: agentRole, node, ...(incarnation !== undefined && { incarnation }) };
  return agentIdentity.safeParse(given).data;
}

/** In a folder the uid follows from the name alone, and only the moment tells two EdgeNodes of one name apart. */
export function incarnationOf(metadata: { uid: string; creationTimestamp: string }): string {
  return canonicalDigest([metadata.uid, metadata.creationTimestamp]).slice(0, 32);
}

/**
 * How an agent gets the certificate by which it speaks for its node, over the operator's port:
 *
 *     GET  /v1/ca        the CAs in PEM, to anybody; compared with the digest in a join token before they are trusted
 *     POST /v1/join      JoinRequest  -> Issued     `Authorization: Bearer <join token | ServiceAccount token>`
 *     POST /v1/renew     RenewRequest -> Issued     with the certificate that it has
 *
 * The private key never leaves the agent. A refusal names its reason in a header, for programs, and says in its text
 * what to do.
 */
import { z } from 'zod';
import { role } from './messages.ts';

export const CA_PATH = '/v1/ca';
export const JOIN_PATH = '/v1/join';
export const RENEW_PATH = '/v1/renew';
export const TOKENS_PATH = '/v1/join-tokens';
export const REFUSAL_HEADER = 'weir-refusal';

/** The audience for which a ServiceAccount token has to be made. */
export const AUDIENCE = 'weir';

/** Of the certificates of agents. */
export const CERTIFICATE_DAYS = 30;

const csr = z.string().max(8_192);
const node = z.string().min(1).max(253);

/** Without role and node: those that the join token was made for. */
export const joinRequest = z.strictObject({ role: role.optional(), node: node.optional(), csr });
export type JoinRequest = z.infer<typeof joinRequest>;

export const renewRequest = z.strictObject({ csr });

/** Not strict: a later operator may say more. */
export const issued = z.object({ role, node, certificate: z.string(), bundle: z.string() });
export type Issued = z.infer<typeof issued>;

/** Why an agent is not let in, or a token not taken. */
export const refusalReason = z.enum([
  'NoCertificate',
  'UnknownCa',
  'NotAnAgent',
  'NotYetValid',
  'Expired',
  'Denied',
  'WrongNode',
  'NodeRemade',
  'UnknownNode',
  'BadToken',
  'UsedToken',
  'ExpiredToken',
  'WrongAudience',
  'WrongServiceAccount',
  'BadRequest',
]);
export type RefusalReason = z.infer<typeof refusalReason>;

/** `POST /v1/join-tokens` makes one; `GET` lists them; `DELETE /v1/join-tokens/<id>` revokes one. */
export const newJoinToken = z.strictObject({
  role,
  /** Needed for an edge. */
  node: node.optional(),
  /** Milliseconds. */
  lifetime: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000),
});
export type NewJoinToken = z.infer<typeof newJoinToken>;

/** A token in lists. */
export interface JoinTokenView {
  id: string;
  role: z.infer<typeof role>;
  node?: string | undefined;
  made: number;
  expires: number;
  used?: number | undefined;
}

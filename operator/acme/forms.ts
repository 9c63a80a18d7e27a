/** What ACME servers say (RFC 8555 7.1), as far as it is read; and what is written down of an order. Pure. */
import { z } from 'zod';

const url = z.string().max(2_048);

export const directoryForm = z.object({
  newNonce: url,
  newAccount: url,
  newOrder: url,
  renewalInfo: url.optional(),
  meta: z.object({ caaIdentities: z.array(z.string()).default([]) }).default({ caaIdentities: [] }),
});

/** The type without its prefix, which is the same for all that RFC 8555 6.7 names. */
const problemType = z.string().transform((urn) => urn.replace(/^.*:/, ''));
export const problemForm = z.object({ type: problemType.default(''), detail: z.string().default('') });
export type ProblemForm = z.infer<typeof problemForm>;

export const orderForm = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(url).default([]),
  finalize: url,
  certificate: url.optional(),
  error: problemForm.optional(),
});

export const challenge = z.object({
  type: z.string(),
  url,
  status: z.string().default('pending'),
  token: z.string().max(512).default(''),
  error: problemForm.optional(),
});

/** An account, under the server, the mail address and the binding that it was made with. */
export const accountRecord = z.strictObject({ pem: z.string(), url: z.string().optional() });

/** An order on its way: a new leader takes it up from here. */
export const orderRecord = z.strictObject({
  /** Of the spec that it is for: another one begins anew. */
  spec: z.string(),
  url: url.optional(),
  /** Of the certificate that is to come; PEM. */
  key: z.string().optional(),
  /** Tries that failed since one succeeded, and when the next one may be (milliseconds since the epoch). */
  failures: z.int().default(0),
  notBefore: z.number().default(0),
  /** When the last one that succeeded was begun, where its certificate says an earlier time. */
  begun: z.number().optional(),
  /** Why the last one failed. */
  reason: z.string().optional(),
  message: z.string().optional(),
});
export type OrderRecord = z.infer<typeof orderRecord>;

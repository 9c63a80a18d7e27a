/**
 * A certificate with its key as agents get it: an `AgentSecret` whose value is this, as JSON. Its name says nothing of
 * the hostnames, so that it may stand in logs.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const CERTIFICATE_PREFIX = 'certificate.';

/** `namespace/name` of the Secret, or of the Certificate that issued it. */
export const certificateSecretName = (ref: string): string =>
  `${CERTIFICATE_PREFIX}${createHash('sha256').update(ref).digest('hex').slice(0, 32)}.json`;

export const certificateSecret = z.strictObject({
  /** PEM: the certificate, then those that lead to the root, without it. */
  chain: z.string(),
  /** PEM, PKCS #8. */
  key: z.string(),
});

/** `tls` of a CdnDomain: which certificate it is served with, and how strictly. */
import { z } from 'zod';
import { dnsLabel, duration, textLike, withRules } from './scalars.ts';

/** An object's name as Kubernetes has it for Secrets: labels joined by dots. */
export const secretName = textLike(
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  'a name of a Secret: a-z, 0-9, - and dots',
  253,
);

export const secretRef = z.strictObject({ name: secretName.describe('Its name.') });

const hsts = z.strictObject({
  maxAge: duration.default('180d').describe('For how long browsers use https alone.'),
  includeSubDomains: z.boolean().default(false).describe('Names below the hostname as well.'),
  preload: z.boolean().default(false).describe('The owner wants to stand in browsers’ own lists.'),
});

const certificateRef = z.strictObject({ name: dnsLabel.describe('Its name.') });

export const tls = withRules(
  z.strictObject({
    certificateRef: certificateRef.optional().describe('A Certificate in the same namespace.'),
    certificateRefs: z
      .array(certificateRef)
      .min(1)
      .max(2)
      .refine((refs) => new Set(refs.map(({ name }) => name)).size === refs.length, 'each name once')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe(
        'Two of them, one with an ECDSA and one with an RSA key: each client gets the one that it can check.',
      ),
    secretRef: secretRef
      .optional()
      .describe('A Secret of type kubernetes.io/tls in the same namespace, without a Certificate between.'),
    redirect: z
      .boolean()
      .default(false)
      .describe('Send plain requests to https: GET and HEAD by 301, others by 308.'),
    minVersion: z.enum(['1.2', '1.3']).default('1.2').describe('The oldest version of TLS that is spoken.'),
    hsts: hsts.optional().describe('Tell browsers to use https alone (Strict-Transport-Security, RFC 6797).'),
  }),
  [
    {
      holds: (given) =>
        [given.certificateRef, given.certificateRefs, given.secretRef].filter((ref) => ref).length === 1,
      cel: '[has(self.certificateRef), has(self.certificateRefs), has(self.secretRef)].filter(x, x).size() == 1',
      message: 'exactly one of certificateRef, certificateRefs and secretRef',
    },
  ],
);

export type DomainTls = z.output<typeof tls>;

/** Certificate: what hostnames are served with over TLS, given in a Secret or ordered from an ACME server. */
import { z } from 'zod';
import type { KindDefinition } from './kind.ts';
import { httpUrl, textLike, withRules } from './scalars.ts';
import { reasonColumn, statusSchema } from './status.ts';
import { secretName, secretRef } from './tls.ts';

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** `*` stands for one whole label, the leftmost (RFC 9525 6.3). */
const certificateHostname = textLike(
  new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})+$`),
  'a host name in lower case, such as video.example.com or *.example.com',
  253,
);

const acme = z.strictObject({
  server: withRules(httpUrl, [
    {
      holds: (text) => text.startsWith('https://'),
      cel: "self.startsWith('https://')",
      message: 'an https URL (RFC 8555 6.1)',
    },
  ])
    .default('https://acme-v02.api.letsencrypt.org/directory')
    .describe('The server’s directory.'),
  email: textLike(/^[^\s@,?]+@[^\s@,?]+$/, 'a mail address', 254)
    .optional()
    .describe('Where the server tells of problems; part of the account.'),
  challenge: z
    .enum(['DNS01', 'HTTP01'])
    .default('HTTP01')
    .describe(
      'How control over the hostnames is shown. HTTP01: the edges answer, so clients must reach them by these names. ' +
        'DNS01: a TXT record at `status.acmeTarget`, to which `_acme-challenge.<hostname>` is a CNAME; for wildcards ' +
        'there is no other way.',
    ),
  keyType: z.enum(['ECDSA', 'RSA']).default('ECDSA').describe('ECDSA: P-256. RSA: 2048 bits.'),
  externalAccountBinding: z
    .strictObject({
      keyId: z.string().min(1).max(256).describe('The key’s name, as the server’s owner gave it.'),
      secretRef: secretRef.describe('A Secret in the same namespace with the HMAC key, base64url, as `key`.'),
    })
    .optional()
    .describe(
      'Joins the account to one that exists elsewhere, where the server asks for that (RFC 8555 7.3.4).',
    ),
  secretName: secretName
    .optional()
    .describe(
      'Keep a copy in the Secret of this name in the namespace (type kubernetes.io/tls; in a folder files below ' +
        '`certificates/` of the state folder), for others to use. Weir itself needs none.',
    ),
  caBundle: z
    .string()
    .min(1)
    .max(65_536)
    .optional()
    .describe('CAs (PEM) that the server’s own certificate is checked by, instead of the public ones.'),
});

const spec = withRules(
  z.strictObject({
    hostnames: z
      .array(certificateHostname)
      .min(1)
      .max(100)
      .refine((names) => new Set(names).size === names.length, 'a value stands once in the list')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('The names that it is for; `*.example.com` covers each name one label below example.com.'),
    secretRef: secretRef
      .optional()
      .describe(
        'A Secret of type kubernetes.io/tls in the same namespace, whoever keeps it: cert-manager’s too.',
      ),
    acme: acme.optional().describe('Order it from an ACME server, and renew it in time.'),
  }),
  [
    {
      holds: ({ secretRef: given, acme: ordered }) => (given === undefined) !== (ordered === undefined),
      cel: 'has(self.secretRef) != has(self.acme)',
      message: 'exactly one of secretRef and acme',
    },
    {
      holds: ({ hostnames, acme: ordered }) =>
        ordered?.challenge !== 'HTTP01' || hostnames.every((name) => !name.startsWith('*')),
      cel: "!has(self.acme) || self.acme.challenge != 'HTTP01' || self.hostnames.all(h, !h.startsWith('*'))",
      message: 'a wildcard needs challenge: DNS01 (RFC 8555 8.3)',
      path: ['hostnames'],
    },
  ],
);

const time = z.string().max(40);

const status = statusSchema({
  digest: z.string().max(64).optional().describe('Of the certificate and key in force (SHA-256).'),
  serialNumber: z.string().max(64).optional().describe('Of the certificate in force, in hex.'),
  notAfter: time.optional().describe('When the certificate in force ends (RFC 3339).'),
  renewalTime: time.optional().describe('When the next one will be ordered (RFC 3339); with `acme` only.'),
  acmeTarget: z
    .string()
    .max(253)
    .optional()
    .describe('With DNS01: what to point a CNAME at `_acme-challenge.<hostname>` at.'),
});

export const certificate = {
  kind: 'Certificate',
  plural: 'cdncertificates',
  singular: 'cdncertificate',
  shortNames: ['cdncert'],
  scope: 'Namespaced',
  description:
    'A certificate with its key for hostnames that Weir serves: given in a Secret, or ordered by ACME.',
  spec,
  status,
  conditionTypes: ['Accepted', 'Issued', 'Ready', 'Stalled'],
  columns: [
    { name: 'Hostnames', jsonPath: '.spec.hostnames', description: 'The names that it is for.' },
    {
      name: 'NotAfter',
      jsonPath: '.status.notAfter',
      description: 'When the certificate in force ends.',
    },
    {
      name: 'Ready',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether one is in force that is as the spec wants it.',
    },
    reasonColumn,
  ],
} satisfies KindDefinition;

export type CertificateSpec = z.output<typeof spec>;
export type AcmeSpec = NonNullable<CertificateSpec['acme']>;
export type CertificateStatus = z.output<typeof status>;

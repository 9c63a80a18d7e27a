/**
 * X.509 by `@peculiar/x509`, which needs Reflect's polyfill before it is loaded: that order stands here once. Some 20 MB
 * and 200 ms, so that programs which need it once a month import it then.
 */
import 'reflect-metadata';

// By name: of `export *` the bundler keeps nothing for who imports this file while it runs.
export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** The one kind of key that Weir makes and signs for. */
export const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

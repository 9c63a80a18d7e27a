/** Certificates of CAs in PEM: a bundle is several of them, one after the other. No I/O. */
import { createHash, X509Certificate } from 'node:crypto';
import { memo } from '../../lib/memo.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Throws when one of them is none. */
export function readBundle(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
}

export function writeBundle(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}

/**
 * Of a CA: over its public key, as kubeadm does it, so that it stays when only the dates change. Once for each CA: a
 * thousand agents that connect anew are judged by the same ones.
 */
export const caDigest = memo((certificate: X509Certificate): string => {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64url');
});

/** Tells two bundles apart, whatever their order. */
export function bundleDigest(pem: string): string {
  const digests = readBundle(pem).map(({ fingerprint256 }) => fingerprint256);
  return createHash('sha256')
    .update([...new Set(digests)].sort().join())
    .digest('base64url');
}

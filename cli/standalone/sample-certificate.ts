/**
 * The Secret of weir.yaml's `sampleCertificate`: a certificate of a CA that is made once, both in the state folder. The
 * operator finds it there as it finds a Secret in the folder of manifests (operator/source/folder).
 */
import { X509Certificate } from 'node:crypto';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Authority } from '../../operator/trust/ca.ts';
import type { Installation } from './programs.ts';

const DAY_MS = 86_400_000;
/** Clients take none that is for much longer. */
const LIFETIME_MS = 90 * DAY_MS;
/** Made anew at a start with less than this left. */
const LEAST_LEFT_MS = 30 * DAY_MS;

const authority = z.strictObject({ certificate: z.string(), key: z.string(), notAfter: z.number() });

/** The part of a Secret of our own that is looked at again. */
const secret = z.looseObject({
  metadata: z.looseObject({ namespace: z.string(), name: z.string() }),
  stringData: z.looseObject({ 'tls.crt': z.string() }),
});

export async function keepSampleCertificate(
  { state, config: { sampleCertificate: wanted } }: Pick<Installation, 'state' | 'config'>,
  now: number,
): Promise<void> {
  if (wanted === undefined) return;
  const ca = await sampleCa(state, now);
  const held = await readFileIfThere(state.sampleSecret);
  if (held !== undefined && holds(held, wanted, { ca, now })) return;
  const { issueToServer } = await import('../../operator/trust/certificates.ts');
  const { key, certificate } = await issueToServer(ca, wanted.hostnames, { now, lifetimeMs: LIFETIME_MS });
  const { namespace, name } = wanted;
  const document = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': certificate, 'tls.key': key },
  };
  await writeFileAtomic(state.sampleSecret, stringify(document), 0o600);
}

async function sampleCa(state: Installation['state'], now: number): Promise<Authority> {
  const held = await readFileIfThere(state.sampleCa);
  const known = held === undefined ? undefined : authority.parse(JSON.parse(held));
  if (known !== undefined && known.notAfter - now > LEAST_LEFT_MS) return known;
  const { makeAuthority } = await import('../../operator/trust/certificates.ts');
  const made = await makeAuthority(now);
  await writeFileAtomic(state.sampleCa, JSON.stringify(made), 0o600);
  await writeFileAtomic(state.sampleBundle, made.certificate);
  return made;
}

/** Whether it is still the one that is wanted: name, hostnames, issuer and time. */
function holds(
  text: string,
  { namespace, name, hostnames }: NonNullable<Installation['config']['sampleCertificate']>,
  { ca, now }: { ca: Authority; now: number },
): boolean {
  const { metadata, stringData } = secret.parse(parse(text));
  const leaf = new X509Certificate(stringData['tls.crt']);
  return (
    metadata.namespace === namespace &&
    metadata.name === name &&
    hostnames.every((host) => leaf.checkHost(host) !== undefined) &&
    leaf.verify(new X509Certificate(ca.certificate).publicKey) &&
    leaf.validToDate.getTime() - now > LEAST_LEFT_MS
  );
}

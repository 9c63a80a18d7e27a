/**
 * The file with a zone's keys: written by the operator, read by dns-servers, mode 0600, and the only place where a
 * private key is. In a cluster the same text is the value of a Secret. A rollover adds a key and takes the old one away.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';
import { dnskeyData, keyTag } from './dnskey.ts';

const zoneKey = z.strictObject({
  /** PKCS #8, as `openssl genpkey` writes it. */
  privateKey: z.string().refine(isP256, 'an ECDSA P-256 key in PKCS #8 PEM'),
  /** Milliseconds since the Unix epoch. */
  created: z.int(),
  /** The parent should have a DS for it: it stands in CDS and CDNSKEY. */
  announced: z.boolean(),
});

const rollover = z.strictObject({
  /**
   * `Publishing`: both keys sign, and caches forget answers without the new one's signatures.
   * `AwaitingDs`: the parent should change the DS. `Retiring`: it did, and caches forget the old one.
   */
  phase: z.enum(['Publishing', 'AwaitingDs', 'Retiring']),
  since: z.int(),
  /** The longest TTL in seconds that the parent's DS was seen with. */
  dsTtl: z.int(),
});

export const zoneKeys = z.strictObject({
  zone: z.string(),
  /** Oldest first. All of them sign. */
  keys: z.array(zoneKey).min(1),
  rollover: rollover.optional(),
});

export type ZoneKey = z.infer<typeof zoneKey>;
export type ZoneKeys = z.infer<typeof zoneKeys>;
export type RolloverPhase = NonNullable<ZoneKeys['rollover']>['phase'];

export function newZoneKey(now: number, announced: boolean): ZoneKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    created: now,
    announced,
  };
}

/** The data of a key's DNSKEY record, and its tag. */
export function publicPart({ privateKey }: ZoneKey): { dnskey: Buffer; tag: number } {
  const dnskey = dnskeyData(createPrivateKey(privateKey));
  return { dnskey, tag: keyTag(dnskey) };
}

function isP256(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

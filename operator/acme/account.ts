/** The account at a server, made once for each server, mail address and binding; kept in the vault. */
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Vault } from '../certificates/vault.ts';
import { type AccountKey, AcmeClient, AcmeProblem } from './client.ts';
import { accountRecord } from './forms.ts';
import { makeKey } from './keys.ts';

interface AccountOptions {
  acme: AcmeSpec;
  vault: Vault;
  /** Throws where the key of the binding is not there. */
  binding: () => { keyId: string; hmacKey: string } | undefined;
  now: () => number;
}

/** `use` speaks for the account. */
export async function withAccount<T>(
  { acme, vault, binding, now }: AccountOptions,
  use: (client: AcmeClient) => Promise<T>,
): Promise<T> {
  const { server, email, caBundle, externalAccountBinding } = acme;
  const entry = `account/${canonicalDigest([server, email, externalAccountBinding?.keyId]).slice(0, 32)}`;
  const key = await accountKey(entry, vault);
  const client = new AcmeClient({ server, caBundle, key, now });
  const register = async () => {
    await client.account(email, binding());
    await vault.write(entry, JSON.stringify(key));
  };
  try {
    if (key.url === undefined) {
      await register();
      return await use(client);
    }
    return await use(client).catch(async (error: unknown) => {
      if (!isForgotten(error)) throw error;
      await register();
      return use(client);
    });
  } finally {
    await client.close();
  }
}

/**
 * A server of one's own that was set up anew knows none of its accounts (RFC 8555 6.2). The same key makes the account
 * again, or finds it where it has another URL (RFC 8555 7.3.1).
 */
const isForgotten = (error: unknown) => error instanceof AcmeProblem && error.type === 'accountDoesNotExist';

/** Durable before the server hears of it: an account whose key is lost is lost. */
async function accountKey(entry: string, vault: Vault): Promise<AccountKey> {
  const known = (await vault.read()).get(entry);
  if (known !== undefined) {
    const { pem, url } = accountRecord.parse(JSON.parse(known));
    return { pem, url };
  }
  const key = { pem: await makeKey('ECDSA'), url: undefined };
  await vault.write(entry, JSON.stringify(key));
  return key;
}

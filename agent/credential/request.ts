/** Asks the operator for a certificate: a new key, a request signed with it, and the answer as a credential. */
import { createPrivateKey, webcrypto } from 'node:crypto';
import type { Dispatcher } from 'undici';
import {
  type Issued,
  issued,
  JOIN_PATH,
  type JoinRequest,
  REFUSAL_HEADER,
  RENEW_PATH,
  type RefusalReason,
  refusalReason,
} from '../../contract/stream/join.ts';
import type { Whereabouts } from '../whereabouts.ts';
import { type Credential, checkCredential } from './credential.ts';

const WITHIN_MS = 10_000;

/** The operator said no, and why. */
export class Refused extends Error {
  readonly status: number;
  readonly reason: RefusalReason | undefined;

  constructor(status: number, reason: RefusalReason | undefined, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** What a refusal was for; reads the body. */
export async function refusalOf(what: string, response: Dispatcher.ResponseData<unknown>): Promise<Refused> {
  const reason = refusalReason.safeParse(response.headers[REFUSAL_HEADER]).data;
  const text = (await response.body.text()).trim().slice(0, 1_000);
  return new Refused(response.statusCode, reason, `operator refused ${what}: ${response.statusCode} ${text}`);
}

interface Asking {
  operator: Whereabouts;
  dispatcher: Dispatcher;
  signal?: AbortSignal | undefined;
}

export type Joined = Credential & Pick<Issued, 'role' | 'node'>;

export function join(
  asking: Asking,
  bearer: string,
  identity: Pick<JoinRequest, 'role' | 'node'>,
): Promise<Joined> {
  return ask(asking, JOIN_PATH, identity, { authorization: `Bearer ${bearer}` });
}

export function renew(asking: Asking): Promise<Joined> {
  return ask(asking, RENEW_PATH, {}, {});
}

async function ask(
  { operator, dispatcher, signal }: Asking,
  path: string,
  body: object,
  headers: Record<string, string>,
): Promise<Joined> {
  const { key, csr } = await makeRequest();
  const response = await operator.ask(path, {
    method: 'POST',
    dispatcher,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, csr }),
    headersTimeout: WITHIN_MS,
    bodyTimeout: WITHIN_MS,
    ...(signal && { signal }),
  });
  if (response.statusCode !== 200) throw await refusalOf('a certificate', response);
  const { certificate, bundle, role, node } = issued.parse(await response.body.json());
  return { ...checkCredential({ key, certificate, bundle }), role, node };
}

/** The name in it is nobody's: the operator says in the certificate for whom it is. */
async function makeRequest(): Promise<{ key: string; csr: string }> {
  // Loaded here only: some 20 MB that are needed once in three weeks.
  const { ECDSA_P256, Pkcs10CertificateRequestGenerator } = await import('../../lib/x509.ts');
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: ECDSA_P256 });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), csr: csr.toString('pem') };
}

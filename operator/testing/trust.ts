/**
 * For tests: trust without a disk. One CA for the whole test file, so that what one operator certified another takes;
 * and clients that join over the wire as real ones do.
 */
import { generateKeyPair } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { TlsOptions } from 'node:tls';
import { promisify } from 'node:util';
import { Agent, type Dispatcher, request } from 'undici';
import type { TrustConfig } from '../../contract/config/trust.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import { type Issued, issued, JOIN_PATH } from '../../contract/stream/join.ts';
import type { Role } from '../../contract/stream/messages.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { formatListenAddress, type ListenAddress } from '../../lib/listen-address.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { ECDSA_P256, Pkcs10CertificateRequestGenerator } from '../../lib/x509.ts';
import { type CaState, DAY_MS } from '../trust/ca.ts';
import { issueToServer, makeAuthority } from '../trust/certificates.ts';
import { type GuardedStore, type Kept, Stale } from '../trust/guarded-store.ts';
import { serverNames } from '../trust/server-certificate.ts';
import { Trust, type TrustOptions } from '../trust/trust.ts';

/** As it lies in the state folder. */
export const TOKEN = 'a-token-for-tests';

let made: Promise<CaState> | undefined;

/** Made once, by the time of day: TLS libraries judge by that. */
export function testCa(): Promise<CaState> {
  made ??= makeAuthority(Date.now()).then((signing) => ({ signing }));
  return made;
}

export const testBundle = async () => (await testCa()).signing.certificate;

/** For a server of the test's own that agents take for an operator. */
export async function testTls(): Promise<TlsOptions> {
  const validity = { now: Date.now(), lifetimeMs: DAY_MS };
  const { key, certificate } = await issueToServer(
    (await testCa()).signing,
    serverNames('::1', []),
    validity,
  );
  return { key, cert: certificate, minVersion: 'TLSv1.3' };
}

export function memoryStore<T>(value?: T): GuardedStore<T> {
  let version = value === undefined ? 0 : 1;
  const kept = (): Kept<T> => ({ value, version: version === 0 ? undefined : String(version) });
  return {
    read: async () => structuredClone(kept()),
    async write(newer, replaced) {
      if (replaced !== kept().version) throw new Stale('it has changed');
      value = structuredClone(newer);
      version += 1;
      return kept();
    },
  };
}

export interface TestTrust {
  trust: Trust;
  /** In force from the next request on. */
  settings: TrustConfig;
  /** By EdgeNode. */
  incarnations: Map<string, string>;
}

export async function testTrust({
  nodes = ['a', 'b'],
  clock = systemClock,
  log = silentLog,
  ...changes
}: Partial<TrustOptions> & { nodes?: readonly string[]; clock?: Clock; log?: Log } = {}): Promise<TestTrust> {
  const settings: TrustConfig = {
    deny: [],
    serviceAccounts: { edge: ['weir-system/weir-edge'], 'dns-server': ['weir-system/weir-dns-server'] },
  };
  const incarnations = new Map(nodes.map((node) => [node, 'first']));
  const trust = await Trust.open({
    stores: { ca: memoryStore(await testCa()), tokens: memoryStore() },
    machineToken: TOKEN,
    review: undefined,
    names: serverNames('127.0.0.1', []),
    policy: () => ({ ...settings, incarnation: (node) => incarnations.get(node) }),
    leads: () => true,
    clock,
    log,
    ...changes,
  });
  return { trust, settings, incarnations };
}

export interface OperatorPlace {
  url: string;
  /** The operator's CAs in PEM, and the token of its state folder. */
  ca: string;
  token: string;
}

/** A real operator, as those on its machine find it. */
export async function placeOf(state: StateFolder, { host, port }: ListenAddress): Promise<OperatorPlace> {
  return {
    url: `https://${formatListenAddress({ host, port })}`,
    ca: await readFile(state.bundle, 'utf8'),
    token: (await readFile(state.token, 'utf8')).trim(),
  };
}

export interface TestRequest {
  key: string;
  csr: string;
}

/** A private key and the request for it. */
export async function testRequest(): Promise<TestRequest> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const keys = {
    privateKey: privateKey.toCryptoKey(ECDSA_P256, true, ['sign']),
    publicKey: publicKey.toCryptoKey(ECDSA_P256, true, ['verify']),
  };
  const csr = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: ECDSA_P256 });
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), csr: csr.toString('pem') };
}

/** Answers what the operator said: `issued` where it gave a certificate. */
export async function askToJoin(
  { url, ca, token }: OperatorPlace,
  { role, node }: { role?: Role; node?: string },
  csr: string,
): Promise<{ status: number; reason: string | undefined; text: string; issued: Issued | undefined }> {
  const dispatcher = new Agent({ connect: { ca } });
  const response = await request(`${url}${JOIN_PATH}`, {
    method: 'POST',
    dispatcher,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ role, node, csr }),
  });
  const text = await response.body.text();
  await dispatcher.close();
  const { statusCode: status, headers } = response;
  const reason = headers['weir-refusal'];
  return {
    status,
    reason: typeof reason === 'string' ? reason : undefined,
    text,
    issued: status === 200 ? issued.parse(JSON.parse(text)) : undefined,
  };
}

/** Connections that show a certificate for this agent, got with the token of the operator's machine. */
/** A thousand at once (bench/push) wait for one another. */
const CONNECT_WITHIN_MS = 60_000;

export async function joinAs(place: OperatorPlace, role: Role, node: string): Promise<Dispatcher> {
  const { key, csr } = await testRequest();
  const { status, text, issued: given } = await askToJoin(place, { role, node }, csr);
  if (!given) throw new Error(`${status} ${text}`);
  return new Agent({
    connect: { ca: given.bundle, cert: given.certificate, key, timeout: CONNECT_WITHIN_MS },
  });
}

/** Connections that show nothing: for `weir`, and for whom nobody knows. */
export const unknownTo = ({ ca }: Pick<OperatorPlace, 'ca'>) =>
  new Agent({ connect: { ca, timeout: CONNECT_WITHIN_MS } });

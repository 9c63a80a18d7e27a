/**
 * For tests: an ACME server (RFC 8555) that believes everybody, and is odd in ways that pebble is not: it can forget its
 * accounts, date its certificates back, and issue for other names than were asked for.
 */
import { webcrypto } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../lib/listen.ts';
import {
  BasicConstraintsExtension,
  ECDSA_P256,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../lib/x509.ts';

const DAY_MS = 86_400_000;

export interface OddAcmeServer {
  directory: string;
  /** Names of each order that was taken. */
  orders: string[][];
  /** Accounts that were made. */
  accounts: number;
  /** Of these. */
  keys: ReadonlySet<string>;
  /** As a server whose database is another one. */
  forgetAll(): void;
  stop(): void;
}

interface Oddities {
  now: () => number;
  /** By how much certificates are dated back; Let's Encrypt does so by an hour. */
  backMs?: number;
  /** Beside those of the order. */
  moreNames?: readonly string[];
  /** Of each certificate. */
  lifeMs?: number;
}

interface Order {
  identifiers: { value: string }[];
  certificate?: string;
}

export async function startOddAcmeServer({
  now,
  backMs = 0,
  moreNames = [],
  lifeMs = 90 * DAY_MS,
}: Oddities): Promise<OddAcmeServer> {
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=an odd CA',
    keys,
    signingAlgorithm: ECDSA_P256,
    notAfter: new Date(now() + 3_650 * DAY_MS),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  let known = new Set<string>();
  let orders: Order[] = [];
  let serial = 0;
  const taken: string[][] = [];
  let made = 0;
  const accountKeys = new Set<string>();

  async function issue({ identifiers }: Order, csr: string): Promise<string> {
    const names = [...identifiers.map(({ value }) => value), ...moreNames];
    const leaf = await X509CertificateGenerator.create({
      serialNumber: (++serial).toString(16).padStart(4, '0'),
      subject: '',
      issuer: root.subject,
      publicKey: new Pkcs10CertificateRequest(Buffer.from(csr, 'base64url')).publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ECDSA_P256,
      notBefore: new Date(now() - backMs),
      notAfter: new Date(now() - backMs + lifeMs),
      extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
    });
    return `${leaf.toString('pem')}\n${root.toString('pem')}\n`;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const base = `http://${request.headers.host}`;
    const path = request.url ?? '';
    response.setHeader('replay-nonce', 'bm9uY2U');
    const say = (body: object, headers: Record<string, string> = {}) =>
      response.writeHead(200, headers).end(JSON.stringify(body));
    const refuse = (status: number, type: string) =>
      response.writeHead(status).end(JSON.stringify({ type: `urn:ietf:params:acme:error:${type}` }));
    if (path === '/nonce') return void response.end();
    if (path === '/directory')
      return void say({
        newNonce: `${base}/nonce`,
        newAccount: `${base}/account`,
        newOrder: `${base}/order`,
      });
    const { jwk, kid, payload } = await readSigned(request);
    if (path === '/account') {
      const url = `${base}/account/${++made}`;
      known.add(url);
      accountKeys.add(JSON.stringify(jwk));
      return void say({}, { location: url });
    }
    if (!known.has(kid ?? '')) return void refuse(400, 'accountDoesNotExist');
    if (path === '/order') {
      orders.push(payload as Order);
      taken.push((payload as Order).identifiers.map(({ value }) => value));
    }
    const number = path === '/order' ? orders.length : Number(path.split('/').at(-1));
    const order = orders[number - 1];
    if (order === undefined) return void refuse(404, 'malformed');
    if (path.startsWith('/certificate')) return void response.end(order.certificate);
    if (path.startsWith('/finalize'))
      order.certificate = await issue(order, (payload as { csr: string }).csr);
    const isReady = order.certificate === undefined;
    say(
      {
        status: isReady ? 'ready' : 'valid',
        finalize: `${base}/finalize/${number}`,
        ...(!isReady && { certificate: `${base}/certificate/${number}` }),
      },
      { location: `${base}/order/${number}` },
    );
  }

  const server = createServer((request, response) => void answer(request, response));
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    directory: `http://127.0.0.1:${port}/directory`,
    orders: taken,
    keys: accountKeys,
    get accounts() {
      return made;
    },
    forgetAll() {
      known = new Set();
      orders = [];
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface Signed {
  jwk: object | undefined;
  kid: string | undefined;
  payload: unknown;
}

async function readSigned(request: IncomingMessage): Promise<Signed> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const { protected: head, payload } = JSON.parse(Buffer.concat(parts).toString());
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString() || '{}');
  const { jwk, kid } = read(head);
  return { jwk, kid, payload: read(payload) };
}

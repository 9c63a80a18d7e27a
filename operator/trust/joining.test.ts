/** The first certificate, over the operator's port: what is taken as a proof, once, and what is told to the others. */
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewJoinToken } from '../../contract/stream/join.ts';
import { parseJoinToken } from '../../contract/trust/join-token.ts';
import { FakeClock } from '../../lib/clock.ts';
import { Pkcs10CertificateRequestGenerator } from '../../lib/x509.ts';
import { type StreamHost, startStreamHost } from '../testing/stream-host.ts';
import { askToJoin, testRequest, testTrust, unknownTo } from '../testing/trust.ts';
import { judgeReview, type PodClaims } from './token-review.ts';

const HOUR = 3_600_000;

let host: StreamHost;
let clock: FakeClock;
let review: (token: string) => Promise<PodClaims>;
beforeEach(async () => {
  clock = new FakeClock(Date.now());
  review = async () => ({ serviceAccount: 'weir-system/weir-edge', pod: 'weir-edge-x7', node: 'a' });
  host = await startStreamHost({ trust: await testTrust({ clock, review: (token) => review(token) }) });
});
afterEach(() => host.stop());

/** As `weir token` does it. */
async function ask(method: 'GET' | 'POST' | 'DELETE', path = '', body?: unknown, token = host.token) {
  const dispatcher = unknownTo(host);
  const response = await request(`${host.url}/v1/join-tokens${path}`, {
    method,
    dispatcher,
    headers: { authorization: `Bearer ${token}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.body.text();
  await dispatcher.destroy();
  return { status: response.statusCode, text };
}

async function newToken(changes: Partial<NewJoinToken> = {}): Promise<string> {
  const { status, text } = await ask('POST', '', { role: 'edge', node: 'a', lifetime: HOUR, ...changes });
  expect(status).toBe(200);
  return JSON.parse(text).token;
}

async function join(token: string, identity: Parameters<typeof askToJoin>[1] = {}, csr?: string) {
  return askToJoin({ ...host, token }, identity, csr ?? (await testRequest()).csr);
}

describe('a join token', () => {
  test('gives the key that asked a certificate for its role and node, of a CA that comes along', async () => {
    const { key, csr } = await testRequest();
    const { issued } = await join(await newToken(), {}, csr);
    const certificate = new X509Certificate(issued?.certificate ?? '');
    expect(issued).toMatchObject({ role: 'edge', node: 'a', bundle: host.ca });
    expect(certificate.subjectAltName).toBe('URI:weir://edge/a?of=first');
    expect(certificate.publicKey.equals(createPublicKey(key))).toBe(true);
    expect(certificate.verify(new X509Certificate(host.ca).publicKey)).toBe(true);
    const days = (certificate.validToDate.getTime() - clock.now()) / (24 * HOUR);
    expect(Math.round(days)).toBe(30);
  });

  test('is good once, whatever it is tried for then', async () => {
    const token = await newToken();
    expect((await join(token)).status).toBe(200);
    for (const identity of [{}, { role: 'edge', node: 'a' } as const]) {
      expect(await join(token, identity)).toMatchObject({
        status: 401,
        reason: 'UsedToken',
        text: expect.stringContaining('`weir token create` makes another'),
      });
    }
  });

  test('is good once for two who come at the same moment', async () => {
    const token = await newToken();
    const answers = await Promise.all(Array.from({ length: 8 }, () => join(token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ reason }) => reason))).toEqual(new Set([undefined, 'UsedToken']));
  });

  test('is not spent on what is refused', async () => {
    const token = await newToken();
    for (const [identity, reason] of [
      [{ node: 'b' }, 'WrongNode'],
      [{ role: 'dns-server' as const }, 'WrongNode'],
    ] as const) {
      expect(await join(token, identity)).toMatchObject({ status: 403, reason });
    }
    expect(await join(token, {}, 'no request')).toMatchObject({ status: 400, reason: 'BadRequest' });
    host.incarnations.delete('a');
    expect(await join(token)).toMatchObject({ status: 404, reason: 'UnknownNode' });
    host.incarnations.set('a', 'second');
    host.settings.deny = [{ agent: { role: 'edge', node: 'a' } }];
    expect(await join(token)).toMatchObject({ status: 403, reason: 'Denied' });
    host.settings.deny = [];
    expect((await join(token)).status).toBe(200);
  });

  test('ends, and can be revoked', async () => {
    const [late, revoked] = [await newToken(), await newToken()];
    expect((await ask('DELETE', `/${parseJoinToken(revoked)?.id}`)).status).toBe(204);
    expect(await join(revoked)).toMatchObject({ status: 401, reason: 'BadToken' });
    clock.advance(HOUR);
    expect(await join(late)).toMatchObject({ status: 401, reason: 'ExpiredToken' });
    expect((await ask('DELETE', '/0badbad0')).status).toBe(404);
  });

  test('that is another in one letter, or none at all, is no token', async () => {
    const token = await newToken();
    const other = token.replace(
      /\.[\w-]{43}\./,
      (secret) => `.${secret[1] === 'A' ? 'B' : 'A'}${secret.slice(2)}`,
    );
    for (const wrong of [other, 'x', 'weir1.00000000.x.y', '']) {
      expect(await join(wrong)).toMatchObject({ status: 401, reason: 'BadToken' });
    }
  });

  test('of a dns-server may leave the name to who joins; of an edge it names the node', async () => {
    const token = await newToken({ role: 'dns-server', node: undefined });
    expect(await join(token)).toMatchObject({ status: 400, reason: 'BadRequest' });
    expect((await join(token, { node: 'DNS_1' })).reason).toBe('BadRequest');
    expect((await join(token, { node: 'dns-7' })).issued).toMatchObject({
      role: 'dns-server',
      node: 'dns-7',
    });
    expect(await ask('POST', '', { role: 'edge', lifetime: HOUR })).toEqual({
      status: 400,
      text: 'a token for an edge names its EdgeNode\n',
    });
  });

  test('is stored and listed without what it takes to use it', async () => {
    const token = await newToken();
    const { id = '', secret = '' } = parseJoinToken(token) ?? {};
    await join(token);
    const { text } = await ask('GET');
    expect(JSON.parse(text).tokens).toEqual([
      { id, role: 'edge', node: 'a', made: clock.now(), expires: clock.now() + HOUR, used: clock.now() },
    ]);
    const stored = JSON.stringify(await host.trust.tokens.read());
    expect([stored, text].filter((kept) => kept.includes(secret))).toEqual([]);
  });

  test('is made, listed and revoked by who has the token of the operator’s machine alone', async () => {
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      expect((await ask(method, '', {}, 'another')).status).toBe(401);
    }
    await ask('POST', '', { role: 'edge', node: 'a', lifetime: 8 * 24 * HOUR }).then(({ status }) =>
      expect(status).toBe(400),
    );
  });
});

describe('a request for a certificate', () => {
  test.each(['rsa', 'ec'] as const)('with a key of another kind is refused: %s', async (kind) => {
    const { privateKey, publicKey } =
      kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2_048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const algorithm =
      kind === 'rsa'
        ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
        : { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
    const keys = {
      privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']),
      publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
    };
    const csr = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm });
    expect(await join(await newToken(), {}, csr.toString('pem'))).toMatchObject({
      status: 400,
      reason: 'BadRequest',
      text: expect.stringContaining('P-256'),
    });
  });

  test('for a key that the asker does not have is refused', async () => {
    const { csr } = await testRequest();
    const der = Buffer.from(csr.replaceAll(/-----.*-----|\s/g, ''), 'base64');
    // The last bytes are the signature.
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    expect(await join(await newToken(), {}, forged)).toMatchObject({ reason: 'BadRequest' });
  });
});

describe('the token of the operator’s machine', () => {
  test('is good for every agent there, again and again', async () => {
    for (const node of ['a', 'b', 'b']) {
      expect((await join(host.token, { role: 'edge', node })).issued).toMatchObject({ node });
    }
    expect(await join(host.token)).toMatchObject({ reason: 'BadRequest' });
  });

  test('is worth nothing elsewhere', async () => {
    const { csr } = await testRequest();
    const joined = host.trust.joining.join(
      { token: host.token, from: '192.0.2.7' },
      { role: 'edge', node: 'a', csr },
    );
    await expect(joined).rejects.toMatchObject({ reason: 'BadToken', status: 401 });
  });
});

describe('the token of a pod', () => {
  const POD = 'eyJhbGciOiJub25lIn0.e30.x';

  test('lets it in as the edge of its Kubernetes node, or as the dns-server of its own name or its node’s', async () => {
    expect((await join(POD, { role: 'edge', node: 'a' })).issued).toMatchObject({ role: 'edge', node: 'a' });
    review = async () => ({ serviceAccount: 'weir-system/weir-dns-server', pod: 'weir-dns-0', node: 'a' });
    const dns = await join(POD, { role: 'dns-server', node: 'weir-dns-0' });
    expect(dns.issued).toMatchObject({ role: 'dns-server', node: 'weir-dns-0' });
    const ofNode = await join(POD, { role: 'dns-server', node: 'a' });
    expect(ofNode.issued).toMatchObject({ role: 'dns-server', node: 'a' });
    expect(await join(POD, { role: 'dns-server', node: 'b' })).toMatchObject({ reason: 'WrongNode' });
  });

  test('does not speak for another node, nor for another role', async () => {
    expect(await join(POD, { role: 'edge', node: 'b' })).toMatchObject({ status: 403, reason: 'WrongNode' });
    expect(await join(POD, { role: 'dns-server', node: 'weir-edge-x7' })).toMatchObject({
      status: 403,
      reason: 'WrongServiceAccount',
      text: 'ServiceAccount weir-system/weir-edge as dns-server: `trust.serviceAccounts` in weir.yaml says whose tokens are taken\n',
    });
  });

  test('is tried again later when nobody can be asked about it', async () => {
    review = async () => {
      throw new Error('connect ECONNREFUSED');
    };
    expect(await join(POD, { role: 'edge', node: 'a' })).toMatchObject({ status: 503, reason: undefined });
  });
});

describe('what the API server says of a token:', () => {
  const user = {
    username: 'system:serviceaccount:weir-system:weir-edge',
    extra: {
      'authentication.kubernetes.io/pod-name': ['weir-edge-x7'],
      'authentication.kubernetes.io/node-name': ['a'],
    },
  };
  const jwt = (aud: unknown) => `x.${Buffer.from(JSON.stringify({ aud })).toString('base64url')}.x`;
  const good = { authenticated: true, audiences: ['weir'], user };

  test.each<[string, unknown, string, unknown]>([
    ['whose it is', good, '', { serviceAccount: 'weir-system/weir-edge', pod: 'weir-edge-x7', node: 'a' }],
    [
      'nothing of audiences, so it knows none',
      { ...good, audiences: undefined },
      '',
      { reason: 'WrongAudience' },
    ],
    ['that it is for others', { ...good, audiences: ['vault'] }, '', { reason: 'WrongAudience' }],
    [
      'no, and the token says for whom it is',
      { error: 'invalid' },
      jwt(['vault']),
      { reason: 'WrongAudience' },
    ],
    ['no, though it says that it is for us', { error: 'invalid' }, jwt(['weir']), { reason: 'BadToken' }],
    ['no, and it is none', { error: 'invalid' }, 'x', { reason: 'BadToken' }],
    [
      'that it is bound to no pod',
      { ...good, user: { ...user, extra: {} } },
      '',
      { reason: 'WrongServiceAccount' },
    ],
    [
      'that it is a person’s',
      { ...good, user: { ...user, username: 'admin' } },
      '',
      { reason: 'WrongServiceAccount' },
    ],
  ])('%s', (_what, status, token, judged) => {
    expect(judgeReview({ status }, token)).toEqual(judged);
  });
});

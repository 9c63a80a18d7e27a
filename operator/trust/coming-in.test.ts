/** Who is let in at the operator's port, and who is not: over real TLS, with the reason, the advice and the counter. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RefusalReason } from '../../contract/stream/join.ts';
import { HEARTBEAT_MS } from '../../contract/stream/messages.ts';
import type { CertifiedIdentity } from '../../contract/trust/identity.ts';
import { FakeClock } from '../../lib/clock.ts';
import { readNdjson } from '../../lib/ndjson.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type StreamHost, startStreamHost } from '../testing/stream-host.ts';
import { joinAs, testCa, testRequest, testTrust, unknownTo } from '../testing/trust.ts';
import { type Authority, DAY_MS } from './ca.ts';
import { issueToAgent, issueToServer, makeAuthority, readRequest, type Validity } from './certificates.ts';

const MONTH = 30 * DAY_MS;
const EDGE_A: CertifiedIdentity = { role: 'edge', node: 'a', incarnation: 'first' };

let host: StreamHost;
const lines: Dispatcher[] = [];
beforeEach(async () => {
  host = await startStreamHost();
});
afterEach(async () => {
  await Promise.all(lines.splice(0).map((line) => line.destroy()));
  await host.stop();
});

const kept = (line: Dispatcher): Dispatcher => {
  lines.push(line);
  return line;
};

async function certified(
  authority: Authority,
  identity: CertifiedIdentity = EDGE_A,
  validity: Validity = { now: Date.now(), lifetimeMs: MONTH },
) {
  const { key, csr } = await testRequest();
  return { key, cert: await issueToAgent(authority, await readRequest(csr), identity, validity) };
}

/** Connections that show what `authority` certified. */
async function showing(...args: Parameters<typeof certified>): Promise<Dispatcher> {
  return kept(new Agent({ connect: { ca: host.ca, ...(await certified(...args)) } }));
}

const ours = async () => (await testCa()).signing;

async function refusals(reason: RefusalReason): Promise<number> {
  const { values = [] } = (await host.metrics.getSingleMetric('weir_operator_refusals_total')?.get()) ?? {};
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
}

const openStream = (dispatcher: Dispatcher, node = 'a', role = 'edge') =>
  request(`${host.url}/v1/stream`, { query: { role, node, epoch: 0, seq: 0, contract: '2' }, dispatcher });

/** What a stream that is refused answers. */
async function refused(dispatcher: Dispatcher, node = 'a', role = 'edge') {
  const { statusCode, headers, body } = await openStream(dispatcher, node, role);
  return { status: statusCode, reason: headers['weir-refusal'], text: await body.text() };
}

describe('a stream is refused', () => {
  test.each<[string, RefusalReason, number, RegExp, () => Dispatcher | Promise<Dispatcher>]>([
    ['without a certificate', 'NoCertificate', 401, /`weir token create`/, () => kept(unknownTo(host))],
    [
      'with one of another CA that calls itself the same',
      'UnknownCa',
      401,
      /another CA/,
      async () => showing({ ...(await makeAuthority(Date.now())), certificate: (await ours()).certificate }),
    ],
    [
      'with one of another CA',
      'UnknownCa',
      401,
      /another CA/,
      async () => showing(await makeAuthority(Date.now())),
    ],
    [
      'with one that has expired',
      'Expired',
      401,
      /edge a .*has expired; make a new token/,
      async () => showing(await ours(), EDGE_A, { now: Date.now() - 2 * MONTH, lifetimeMs: MONTH }),
    ],
    [
      'with one of the future',
      'NotYetValid',
      401,
      /compare the clocks/,
      async () => showing(await ours(), EDGE_A, { now: Date.now() + DAY_MS, lifetimeMs: MONTH }),
    ],
    [
      'with the certificate of a server',
      'NotAnAgent',
      403,
      /names no agent/,
      async () => {
        const validity = { now: Date.now(), lifetimeMs: MONTH };
        const { key, certificate } = await issueToServer(await ours(), ['localhost'], validity);
        return kept(new Agent({ connect: { ca: host.ca, key, cert: certificate } }));
      },
    ],
    [
      'with one for an EdgeNode of that name that was removed',
      'NodeRemade',
      401,
      /was removed/,
      async () => showing(await ours(), { ...EDGE_A, incarnation: 'earlier' }),
    ],
  ])('%s', async (_what, reason, status, advice, line) => {
    const answer = await refused(await line());
    expect(answer).toEqual({ status, reason, text: expect.stringMatching(advice) });
    expect(await refusals(reason)).toBe(1);
    expect(host.seen).toEqual([]);
  });

  test('to a node that asks as another, or as one of another role; and so are its reports', async () => {
    const line = kept(await joinAs(host, 'edge', 'a'));
    for (const [node, role] of [
      ['b', 'edge'],
      ['a', 'dns-server'],
    ]) {
      expect(await refused(line, node, role)).toEqual({
        status: 403,
        reason: 'WrongNode',
        text: `the certificate is of edge a, the request of ${role} ${node}: a node speaks for itself only\n`,
      });
    }
    const body = JSON.stringify({ role: 'edge', node: 'b', reports: [] });
    const posted = await request(`${host.url}/v1/reports`, { method: 'POST', body, dispatcher: line });
    await posted.body.dump();
    expect([posted.statusCode, posted.headers['weir-refusal']]).toEqual([403, 'WrongNode']);
    expect(await refusals('WrongNode')).toBe(3);
    expect(host.seen).toEqual([]);
  });

  test('to a dns-server that is denied by name, and to a certificate that is denied by its serial number', async () => {
    const { key, cert } = await certified(await ours());
    const byName = kept(await joinAs(host, 'dns-server', 'dns-1'));
    const bySerial = kept(new Agent({ connect: { ca: host.ca, key, cert } }));
    const other = await showing(await ours());
    const colons = new X509Certificate(cert).serialNumber.replaceAll(/(..)(?=.)/g, '$1:').toLowerCase();
    host.settings.deny = [{ agent: { role: 'dns-server', node: 'dns-1' } }, { serial: colons }];
    for (const answer of [await refused(byName, 'dns-1', 'dns-server'), await refused(bySerial)]) {
      expect(answer).toEqual({ status: 403, reason: 'Denied', text: expect.stringContaining('trust.deny') });
    }
    expect(await refusals('Denied')).toBe(2);
    const { statusCode, body } = await openStream(other);
    expect(statusCode).toBe(200);
    body.destroy();
  });

  test('on a connection that was resumed, as on the first', async () => {
    // What TLS remembers of a client must not outlive what we know of it.
    const { key, cert } = await certified(await ours());
    const session = Promise.withResolvers<Buffer>();
    const options = { host: '127.0.0.1', port: host.port, ca: host.ca, key, cert };
    const get = 'GET /v1/stream?role=edge&node=b&epoch=0&seq=0&contract=2 HTTP/1.1\r\nHost: x\r\n\r\n';
    const first = connect(options).once('session', (ticket: Buffer) => session.resolve(ticket));
    first.write(get);
    const ticket = await session.promise;
    first.destroy();
    for (const [reason, deny] of [
      ['WrongNode', []],
      ['Denied', [{ agent: { role: 'edge' as const, node: 'a' } }]],
    ] as const) {
      host.settings.deny = [...deny];
      const second = connect({ ...options, session: ticket });
      second.write(get);
      const [answer] = (await once(second, 'data')) as [Buffer];
      expect([second.isSessionReused(), answer.toString()]).toEqual([
        true,
        expect.stringContaining(`weir-refusal: ${reason}`),
      ]);
      second.destroy();
    }
  });
});

describe('a stream that is open', () => {
  async function open(line: Dispatcher, node = 'a', role = 'edge') {
    const { statusCode, body } = await openStream(line, node, role);
    expect(statusCode).toBe(200);
    const messages = readNdjson(body);
    await messages.next();
    return { next: async () => (await messages.next()).value };
  }

  test('ends at once when its agent is denied, or its EdgeNode was made anew; the others stay', async () => {
    const [a, b, dns] = [
      await open(kept(await joinAs(host, 'edge', 'a'))),
      await open(kept(await joinAs(host, 'edge', 'b')), 'b'),
      await open(kept(await joinAs(host, 'dns-server', 'a')), 'a', 'dns-server'),
    ];
    expect(await dns.next()).toMatchObject({ type: 'table' });
    host.settings.deny = [{ agent: { role: 'edge', node: 'a' } }];
    host.incarnations.set('b', 'second');
    host.server.enforce();
    expect(await a.next()).toBeUndefined();
    expect(await b.next()).toBeUndefined();
    expect([await refusals('Denied'), await refusals('NodeRemade')]).toEqual([1, 1]);
    host.clock.advance(HEARTBEAT_MS);
    expect(await dns.next()).toEqual({ type: 'heartbeat' });
  });

  test('ends when its certificate does, which is no refusal', async () => {
    await host.stop();
    const clock = new FakeClock(Date.now());
    host = await startStreamHost({ trust: await testTrust({ clock }) });
    const { next } = await open(kept(await joinAs(host, 'edge', 'a')));
    // Certificates count whole seconds.
    clock.advance(MONTH - 1_000);
    host.clock.advance(HEARTBEAT_MS);
    expect(await next()).toEqual({ type: 'heartbeat' });
    clock.advance(1_000);
    host.clock.advance(HEARTBEAT_MS);
    expect(await next()).toBeUndefined();
    expect(await refusals('Expired')).toBe(0);
  });
});

describe('the port', () => {
  test.each(['TLSv1.2', 'TLSv1.1'] as const)('speaks no %s', async (maxVersion) => {
    const socket = connect({
      host: '127.0.0.1',
      port: host.port,
      ca: host.ca,
      maxVersion,
      minVersion: 'TLSv1',
    });
    await expect(once(socket, 'secureConnect')).rejects.toThrow(
      /protocol version|unsupported protocol|no protocols/,
    );
  });

  test('has another certificate in time, without a restart', async () => {
    await host.stop();
    // Clients judge by the time of day, which it ends at.
    const clock = new FakeClock(Date.now() - 20 * DAY_MS);
    host = await startStreamHost({ trust: await testTrust({ clock }) });
    const shown = async () => {
      const socket = connect({ host: '127.0.0.1', port: host.port, ca: host.ca });
      await once(socket, 'secureConnect');
      const serial = socket.getPeerX509Certificate()?.serialNumber;
      socket.destroy();
      return serial;
    };
    const before = await shown();
    clock.advance(19 * DAY_MS);
    expect(await shown()).toBe(before);
    clock.advance(DAY_MS);
    await eventually(async () => expect(await shown()).not.toBe(before));
  });
});

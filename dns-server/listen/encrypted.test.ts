import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import type { ListenAddress } from '../../lib/listen-address.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { answering } from '../testing/answering.ts';
import { decode, framed, queryBytes } from '../testing/ask.ts';
import { TEST_CERTIFICATES } from '../testing/certificates.ts';
import { testPlan } from '../testing/routing-plan.ts';
import { followCertificate } from './certificate.ts';
import { startEncrypted } from './encrypted.ts';
import type { Handler } from './handler.ts';
import { listenHttps } from './https.ts';
import type { TcpLimits } from './tcp.ts';

const LOOPBACK: ListenAddress = { host: '127.0.0.1', port: 0 };
const [FIRST, SECOND] = TEST_CERTIFICATES;
const { send } = answering(testPlan());
const transports: string[] = [];
const handle: Handler = (message, _source, transport) => {
  transports.push(transport);
  const { bytes } = send(message, { transport });
  return bytes.length === 0 ? undefined : bytes;
};

let folder = '';
const stops: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-tls-'));
  transports.length = 0;
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await rm(folder, { recursive: true });
});

const files = () => ({ certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') });

async function writePair({ cert, key }: { cert: string; key: string }): Promise<void> {
  await writeFile(files().certificate, cert);
  await writeFile(files().key, key);
}

test('one client has only so many connections over HTTPS', async () => {
  await writePair(FIRST);
  const certificate = await followCertificate(files(), new FakeClock(), silentLog);
  stops.push(() => certificate.stop());
  const onRefused = vi.fn<() => void>();
  const limits = { connections: 10, perClient: 1, idleMs: 10_000 };
  const listener = await listenHttps(LOOPBACK, handle, silentLog, certificate, { limits, onRefused });
  stops.push(() => listener.stop());
  const open = (localAddress: string) => {
    const options = { ...listener.bound, localAddress, rejectUnauthorized: false };
    const socket = connect(options);
    stops.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    return Promise.race([
      once(socket, 'data').then(([data]) => String(data).slice(0, 12)),
      once(socket, 'close').then(() => 'closed'),
    ]);
  };
  expect([await open('127.0.0.1'), await open('127.0.0.1'), await open('127.0.0.2')]).toEqual([
    'HTTP/1.1 404',
    'closed',
    'HTTP/1.1 404',
  ]);
  expect(onRefused).toHaveBeenCalledTimes(1);
});

/** A listener for HTTPS alone, with limits, and a way to ask it by HTTP/2 from any address of loopback. */
async function startHttps(limits: TcpLimits) {
  await writePair(FIRST);
  const certificate = await followCertificate(files(), new FakeClock(), silentLog);
  stops.push(() => certificate.stop());
  const onRefused = vi.fn<() => void>();
  const onEvicted = vi.fn<() => void>();
  const events = { onRefused, onEvicted };
  const listener = await listenHttps(LOOPBACK, handle, silentLog, certificate, { limits, ...events });
  stops.push(() => listener.stop());
  const open = (localAddress: string) => {
    const options = { ...listener.bound, localAddress, rejectUnauthorized: false, ALPNProtocols: ['h2'] };
    const session = connectHttp2(`https://127.0.0.1:${listener.bound.port}`, {
      createConnection: () => connect(options),
    });
    stops.push(() => session.destroy());
    session.on('error', () => {});
    const closed = once(session, 'close').then(() => 'closed');
    const ask = () => {
      const stream = session.request({ ':path': `/dns-query?dns=${SOA.toString('base64url')}` });
      stream.on('error', () => {});
      const answered = once(stream, 'response').then(([headers]) => String(headers[':status']));
      stream.resume();
      return Promise.race([answered, closed]);
    };
    return { session, closed, ask };
  };
  return { open, onEvicted, onRefused };
}

describe('connections over HTTPS that nobody uses', () => {
  test('make room for others, the one that was idle for the longest first, and are counted', async () => {
    const { open, onEvicted } = await startHttps({ connections: 2, perClient: 10, idleMs: 60_000 });
    const [used, idle] = [open('127.0.0.1'), open('127.0.0.2')];
    expect([await used.ask(), await idle.ask()]).toEqual(['200', '200']);
    // Whoever was in use a moment ago is not idle yet: the newcomer comes again.
    await eventually(async () => {
      expect(await used.ask()).toBe('200');
      expect(await open('127.0.0.3').ask()).toBe('200');
    });
    expect(await idle.closed).toBe('closed');
    expect(await used.ask()).toBe('200');
    expect(onEvicted).toHaveBeenCalledTimes(1);
  });

  test('are closed after a time, also with a request that never ends', async () => {
    const { open } = await startHttps({ connections: 10, perClient: 10, idleMs: 200 });
    const [idle, stuck] = [open('127.0.0.1'), open('127.0.0.2')];
    expect(await idle.ask()).toBe('200');
    const stream = stuck.session.request({
      ':method': 'POST',
      ':path': '/dns-query',
      'content-type': 'application/dns-message',
    });
    stream.on('error', () => {});
    stream.write(SOA.subarray(0, 5));
    expect(await Promise.all([idle.closed, stuck.closed])).toEqual(['closed', 'closed']);
  });
});

async function start() {
  await writePair(FIRST);
  const clock = new FakeClock();
  const listeners = await startEncrypted({ files: files(), dot: [LOOPBACK], doh: [LOOPBACK] }, handle, {
    clock,
    log: silentLog,
  });
  stops.push(() => listeners.stop());
  const [dot, doh] = [listeners.dot[0], listeners.doh[0]];
  if (!dot || !doh) throw new Error('not bound');
  return { dot, doh, clock };
}

async function openTls({ host, port }: ListenAddress): Promise<TLSSocket> {
  const socket = connect({ host, port, rejectUnauthorized: false });
  stops.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

const commonName = async (address: ListenAddress) => (await openTls(address)).getPeerCertificate().subject.CN;

const NAME = 'cdn.example.net';
const SOA = queryBytes(NAME, { type: 'SOA', id: 0 });

test('answers over TLS, several queries on one connection in order', async () => {
  const { dot } = await start();
  const socket = await openTls(dot);
  socket.write(Buffer.concat([framed(SOA), framed(queryBytes(NAME, { type: 'NS', id: 9 }))]));
  let held = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, chunk]);
    if (held.length > 2 + held.readUInt16BE(0) + 2) break;
  }
  const first = decode(held.subarray(2, 2 + held.readUInt16BE(0)));
  expect([first.id, first.answers?.length]).toEqual([0, 1]);
  expect(transports).toEqual(['tls', 'tls']);
});

describe('over HTTPS', () => {
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  const url = ({ host, port }: ListenAddress, rest = '') => `https://${host}:${port}/dns-query${rest}`;
  const get = (address: ListenAddress, rest: string, options = {}) =>
    request(url(address, rest), { dispatcher: agent, ...options });

  test('a GET is answered, and may be cached as long as the DNS says', async () => {
    const { doh } = await start();
    const { statusCode, headers, body } = await get(doh, `?dns=${SOA.toString('base64url')}`);
    expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'application/dns-message',
      'max-age=3600',
    ]);
    expect(decode(Buffer.from(await body.arrayBuffer())).answers?.[0]?.name).toBe(NAME);
    expect(transports).toEqual(['https']);
  });

  test('a negative answer may be cached for its SOA’s time', async () => {
    const { doh } = await start();
    const nowhere = queryBytes(`nowhere.${NAME}`, { id: 0, edns: {} });
    const { headers } = await get(doh, `?dns=${nowhere.toString('base64url')}`);
    expect(headers['cache-control']).toBe('max-age=60');
  });

  test('a POST over HTTP/2 is answered', async () => {
    const { doh } = await start();
    const session = connectHttp2(`https://${doh.host}:${doh.port}`, { rejectUnauthorized: false });
    stops.push(() => session.destroy());
    const stream = session.request({
      ':method': 'POST',
      ':path': '/dns-query',
      'content-type': 'application/dns-message',
    });
    stream.end(SOA);
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(200);
    expect(decode(await buffer(stream)).answers).toHaveLength(1);
  });

  test('HEAD is a GET without the answer', async () => {
    const { doh } = await start();
    const { statusCode, headers, body } = await get(doh, `?dns=${SOA.toString('base64url')}`, {
      method: 'HEAD',
    });
    expect([statusCode, Number(headers['content-length']) > SOA.length, await body.text()]).toEqual([
      200,
      true,
      '',
    ]);
  });

  test.each(['Application/DNS-Message', 'application/dns-message; charset=binary'])(
    'a body of type %s is a query (RFC 9110 8.3.1)',
    async (type) => {
      const { doh } = await start();
      const { statusCode, body } = await get(doh, '', {
        method: 'POST',
        body: SOA,
        headers: { 'content-type': type },
      });
      expect(statusCode).toBe(200);
      expect(decode(Buffer.from(await body.arrayBuffer())).answers).toHaveLength(1);
    },
  );

  test('another method is told which there are (RFC 9110 15.5.6)', async () => {
    const { doh } = await start();
    const { statusCode, headers } = await get(doh, '', { method: 'PUT', body: SOA });
    expect([statusCode, headers.allow]).toEqual([405, 'GET, HEAD, POST']);
  });

  test.each<[string, string, object, number]>([
    ['another path', '/other', {}, 404],
    ['no query', '', {}, 400],
    ['what is no base64url', '?dns=a+b', {}, 400],
    ['what is no query', `?dns=${Buffer.alloc(5).toString('base64url')}`, {}, 400],
    ['a query too long', `?dns=${'A'.repeat(6_000)}`, {}, 413],
    ['base64 of the other alphabet', '?dns=AAAA%2F%2F', {}, 400],
    ['base64 with padding', '?dns=AAA%3D', {}, 400],
    ['another method', '', { method: 'DELETE' }, 405],
    ['a body of no type', '', { method: 'POST', body: SOA }, 415],
    [
      'an empty body',
      '',
      { method: 'POST', body: '', headers: { 'content-type': 'application/dns-message' } },
      400,
    ],
    [
      'a body of another type',
      '',
      { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } },
      415,
    ],
    [
      'a body too long',
      '',
      { method: 'POST', body: Buffer.alloc(5_000), headers: { 'content-type': 'application/dns-message' } },
      413,
    ],
  ])('%s is refused', async (_, rest, options, status) => {
    const { doh } = await start();
    const { statusCode, body } = await get(doh, rest, options);
    expect(statusCode).toBe(status);
    expect(await body.text()).not.toBe('');
  });
});

describe('over HTTPS what the client does wrong is no failure of ours, and not logged', () => {
  const logged = vi.spyOn(silentLog, 'error');
  beforeEach(() => void logged.mockClear());
  const status = (text: string) => text.slice(0, 12);

  test.each([
    ['//', 'HTTP/1.1 404'],
    ['//[', 'HTTP/1.1 404'],
    [`//elsewhere/dns-query?dns=${SOA.toString('base64url')}`, 'HTTP/1.1 404'],
    // RFC 9112 3.2.2: every server takes a whole URL.
    [`https://dns.example/dns-query?dns=${SOA.toString('base64url')}`, 'HTTP/1.1 200'],
  ])('a target of %s', async (target, expected) => {
    const { doh } = await start();
    const socket = await openTls(doh);
    socket.write(`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`);
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(status(String(data))).toBe(expected);
    expect(logged).not.toHaveBeenCalled();
  });

  test('a body that is cut off', async () => {
    const { doh } = await start();
    const socket = await openTls(doh);
    const fields = 'host: a\r\ncontent-type: application/dns-message\r\ncontent-length: 100';
    socket.write(`POST /dns-query HTTP/1.1\r\n${fields}\r\n\r\nabc`);
    // Answered behind it, so that the first was read by then.
    const other = await openTls(doh);
    other.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(other, 'data');
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(logged).not.toHaveBeenCalled();
  });
});

test('a renewed certificate is taken without a restart; half of one is not', async () => {
  const { dot, doh, clock } = await start();
  expect(await commonName(dot)).toBe('dns-1.example');
  await writeFile(files().certificate, SECOND.cert);
  clock.advance(10_000);
  expect(await commonName(doh)).toBe('dns-1.example');
  await writePair(SECOND);
  await vi.waitFor(async () => {
    clock.advance(10_000);
    for (const address of [dot, doh]) expect(await commonName(address)).toBe('dns-2.example');
  });
});

test('files that do not fit each other are told at start', async () => {
  await writePair({ cert: FIRST.cert, key: SECOND.key });
  const options = { files: files(), dot: [LOOPBACK], doh: [] };
  await expect(startEncrypted(options, handle, { clock: new FakeClock(), log: silentLog })).rejects.toThrow();
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import type { ListenAddress } from '../../lib/listen-address.ts';
import { silentLog } from '../../lib/log.ts';
import { PreparedAnswers } from '../fast/prepared-answers.ts';
import { geoDatabase } from '../geo/geo-database.ts';
import { DnsMetrics } from '../metrics.ts';
import { askTcp, askUdp, framed } from '../testing/ask.ts';
import { type BatchMode, chooseUdp } from './choose-udp.ts';
import { Frames } from './frames.ts';
import type { Handler } from './handler.ts';
import { startListeners } from './listeners.ts';
import { listenTcp, type TcpLimits } from './tcp.ts';

const LOOPBACK: ListenAddress = { host: '127.0.0.1', port: 0 };

/** Answers with who asked and how, behind what was asked; `quiet` gets nothing. */
const echo: Handler = (message, { bytes }, transport) => {
  const text = message.toString();
  return text === 'quiet' ? undefined : Buffer.from(`${text} ${transport} ${bytes.join('.')}`);
};

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function startWith(mode: BatchMode, addresses: ListenAddress[]) {
  const prepared = new PreparedAnswers({
    metrics: new DnsMetrics(),
    geo: geoDatabase([]),
    ordinary: () => undefined,
  });
  const choice = { mode, workers: 2, prepared, limits: () => undefined };
  const udp = await chooseUdp(choice, silentLog);
  const listeners = await startListeners(addresses, echo, silentLog, udp);
  stops.push(() => listeners.stop());
  return listeners.bound;
}

const start = (...addresses: ListenAddress[]) => startWith('off', addresses);

async function startTcp(limits: TcpLimits, onRefused?: () => void) {
  const listener = await listenTcp(LOOPBACK, echo, silentLog, { limits, ...(onRefused && { onRefused }) });
  stops.push(() => listener.stop());
  return listener.bound;
}

const text = (answers: readonly (Buffer | undefined)[]) => answers.map(String);

describe.each<BatchMode>(['off', 'on'])('with batches %s', (mode) => {
  test('answers UDP and TCP on one port of each address', async () => {
    const [first, second] = await startWith(mode, [LOOPBACK, { host: '127.0.0.2', port: 0 }]);
    if (!first || !second) throw new Error('not bound');
    for (const bound of [first, second]) {
      expect(String(await askUdp(bound, Buffer.from('a')))).toBe('a udp 127.0.0.1');
      expect(text(await askTcp(bound, [framed(Buffer.from('b'))], 1))).toEqual(['b tcp 127.0.0.1']);
    }
  });

  test('answers over IPv6', async () => {
    const [bound] = await startWith(mode, [{ host: '::1', port: 0 }]);
    if (!bound) throw new Error('not bound');
    expect(String(await askUdp(bound, Buffer.from('a')))).toMatch(/^a udp (0\.){15}1$/);
  });

  test('answers both families on one port, as a pod with both has them', async () => {
    const [first] = await startWith(mode, [{ host: '0.0.0.0', port: 0 }]);
    if (!first) throw new Error('not bound');
    await stops.pop()?.();
    const { port } = first;
    await startWith(mode, [first, { host: '::', port }]);
    for (const host of ['127.0.0.1', '::1']) {
      expect(String(await askUdp({ host, port }, Buffer.from('a')))).toMatch(/^a udp /);
      expect(text(await askTcp({ host, port }, [framed(Buffer.from('b'))], 1))[0]).toMatch(/^b tcp /);
    }
  });

  test('says what it cannot listen on', async () => {
    const [bound] = await startWith(mode, [LOOPBACK]);
    if (!bound) throw new Error('not bound');
    await expect(startWith(mode, [bound])).rejects.toThrow(
      `cannot listen on 127.0.0.1:${bound.port}, UDP: bind EADDRINUSE`,
    );
  });

  test('is silent where there is nothing to say', async () => {
    const [bound] = await startWith(mode, [LOOPBACK]);
    if (!bound) throw new Error('not bound');
    const quiet = askUdp(bound, Buffer.from('quiet'), 200);
    expect(String(await askUdp(bound, Buffer.from('a')))).toBe('a udp 127.0.0.1');
    expect(await quiet).toBeUndefined();
  });

  test('answers as many as come at once, each to who asked', async () => {
    const [bound] = await startWith(mode, [LOOPBACK]);
    if (!bound) throw new Error('not bound');
    const asked = Array.from({ length: 300 }, (_, index) => `q${index}`);
    const answers = await Promise.all(asked.map((question) => askUdp(bound, Buffer.from(question))));
    expect(answers.map(String)).toEqual(asked.map((question) => `${question} udp 127.0.0.1`));
  });

  test('stops, and its port is free again', async () => {
    const [bound] = await startWith(mode, [LOOPBACK]);
    if (!bound) throw new Error('not bound');
    await stops.pop()?.();
    expect(await startWith(mode, [bound])).toEqual([bound]);
  });
});

test.each([
  ['0.0.0.0', ['127.0.0.1', '127.0.0.2', '127.8.9.1']],
  ['::', ['::1']],
])('in batches on %s answers from the address that was asked', async (host, asked) => {
  const [bound] = await startWith('on', [{ host, port: 0 }]);
  if (!bound) throw new Error('not bound');
  for (const each of asked) {
    const at = { host: each, port: bound.port };
    expect(String(await askUdp(at, Buffer.from('a')))).toMatch(/^a udp /);
    expect(text(await askTcp(at, [framed(Buffer.from('b'))], 1))[0]).toMatch(/^b tcp /);
  }
});

describe('TCP', () => {
  const messages = ['one', 'two', 'three'].map((message) => framed(Buffer.from(message)));

  test.each([
    ['in one chunk', [Buffer.concat(messages)]],
    ['byte by byte', Array.from(Buffer.concat(messages), (byte) => Buffer.of(byte))],
  ])('takes several queries %s and answers them in order', async (_, chunks) => {
    const [bound] = await start(LOOPBACK);
    if (!bound) throw new Error('not bound');
    expect(text(await askTcp(bound, chunks, 3))).toEqual([
      'one tcp 127.0.0.1',
      'two tcp 127.0.0.1',
      'three tcp 127.0.0.1',
    ]);
  });

  test('closes a connection that sends no whole query for too long', async () => {
    const bound = await startTcp({ connections: 10, perClient: 10, idleMs: 50 });
    const answers = await askTcp(bound, [framed(Buffer.from('one')), Buffer.of(0)], 2);
    expect(text(answers)).toEqual(['one tcp 127.0.0.1']);
  });

  test('answers a client that ended its side already, all that it asked', async () => {
    const bound = await startTcp({ connections: 10, perClient: 10, idleMs: 10_000 });
    const socket = connect({ ...bound, allowHalfOpen: true });
    socket.end(Buffer.concat(messages));
    expect(new Frames().push(await buffer(socket)).map(String)).toEqual([
      'one tcp 127.0.0.1',
      'two tcp 127.0.0.1',
      'three tcp 127.0.0.1',
    ]);
  });

  test('is not kept open by messages that get no answer, which are passed over', async () => {
    const bound = await startTcp({ connections: 10, perClient: 10, idleMs: 300 });
    const socket = connect(bound);
    // Reset, since there is always something on its way.
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(framed(Buffer.from('quiet')));
    socket.write(framed(Buffer.from('one')));
    expect(String((await once(socket, 'data'))[0])).toBe('\0\x11one tcp 127.0.0.1');
    const trickle = setInterval(() => socket.write(framed(Buffer.from('quiet'))), 20);
    await closed;
    clearInterval(trickle);
  });

  test('closes connections beyond its limit, and those before it go on', async () => {
    const bound = await startTcp({ connections: 1, perClient: 10, idleMs: 10_000 });
    const held = connect(bound);
    await new Promise((resolve) => held.once('connect', resolve));
    const refused = connect(bound);
    await new Promise((resolve) => refused.once('close', resolve));
    const answer = new Promise((resolve) => held.once('data', resolve));
    held.write(framed(Buffer.from('a')));
    expect(String(await answer)).toBe('\0\x0fa tcp 127.0.0.1');
    held.destroy();
  });
});

test('frames of no bytes are messages too', () => {
  expect(new Frames().push(Buffer.of(0, 0, 0, 1, 7)).map((message) => [...message])).toEqual([[], [7]]);
});

import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LEAVING_HEADER } from '../../contract/health-answer.ts';
import { FakeClock } from '../../lib/clock.ts';
import { listen } from '../../lib/listen.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { TEST_CERTIFICATES } from '../testing/certificates.ts';
import { testNode } from '../testing/routing-plan.ts';
import { type ProbeTarget, probe } from './probe.ts';
import { Prober } from './prober.ts';
import type { Observation } from './state.ts';

const OK: Observation = { ok: true, detail: 'HTTP 200' };
const FAILED: Observation = { ok: false, detail: 'ECONNREFUSED' };

describe('the prober', () => {
  function setting(answers: (target: ProbeTarget) => Promise<Observation>) {
    const clock = new FakeClock();
    const onChange = vi.fn();
    const turns: string[] = [];
    const asked = vi.fn(answers);
    const prober = new Prober({
      clock,
      probe: asked,
      onChange,
      onTurn: ({ address, healthy }) => turns.push(`${address} ${healthy}`),
      random: () => 0.5,
    });
    /** Moves the clock and lets the answers arrive. */
    const pass = async (ms: number) => {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const states = () =>
      prober
        .health()
        .flatMap(({ node, addresses }) =>
          addresses.map(({ address, healthy }) => `${node} ${address} ${healthy}`),
        );
    return { prober, pass, states, turns, onChange, asked };
  }
  const one = testNode('a', 'r', { addresses: ['192.0.2.1'] });

  test('takes a node out within interval x threshold + time-out, and in again', async () => {
    let answer = OK;
    const { prober, pass, states, turns, onChange } = setting(async () => answer);
    prober.follow([one]);
    await pass(500);
    onChange.mockClear();
    answer = FAILED;
    for (const expected of [true, true, false]) {
      await pass(1_000);
      expect(states()).toEqual([`a 192.0.2.1 ${expected}`]);
    }
    expect(onChange).toHaveBeenCalledTimes(1);
    answer = OK;
    await pass(1_000);
    expect(states()).toEqual(['a 192.0.2.1 false']);
    await pass(1_000);
    expect(states()).toEqual(['a 192.0.2.1 true']);
    expect(turns).toEqual(['192.0.2.1 false', '192.0.2.1 true']);
    prober.stop();
  });

  test('keeps its beat while a probe waits, and takes no old result for news', async () => {
    const waiting: ((result: Observation) => void)[] = [];
    const { prober, pass, states } = setting(() => new Promise((resolve) => waiting.push(resolve)));
    prober.follow([one]);
    for (let i = 0; i < 4; i++) await pass(i === 0 ? 500 : 1_000);
    expect(waiting).toHaveLength(4);
    for (const index of [3, 0, 1, 2]) waiting[index]?.(index === 3 ? OK : FAILED);
    await pass(0);
    expect(states()).toEqual(['a 192.0.2.1 true']);
    prober.stop();
  });

  test('keeps what it knows of an address when others come and go, and when the check changes', async () => {
    const { prober, pass, states, asked } = setting(async () => FAILED);
    prober.follow([one]);
    await pass(3_000);
    const slower = { ...one, healthCheck: { ...one.healthCheck, intervalMs: 9_000 } };
    prober.follow([slower, testNode('b', 'r', { addresses: ['192.0.2.2'] })]);
    expect(states()).toEqual(['a 192.0.2.1 false', 'b 192.0.2.2 true']);
    asked.mockClear();
    await pass(4_500);
    const probes = (wanted: string) => asked.mock.calls.filter(([{ address }]) => address === wanted).length;
    expect([probes('192.0.2.1'), probes('192.0.2.2')]).toEqual([1, 5]);
    prober.follow([]);
    expect(states()).toEqual([]);
    prober.stop();
  });

  test('decides by its first round, where it reached anybody', async () => {
    const { prober, states } = setting(async ({ address }) => (address === '192.0.2.1' ? FAILED : OK));
    prober.follow([one, testNode('b', 'r', { addresses: ['192.0.2.2'] })]);
    await prober.firstRound();
    expect(states()).toEqual(['a 192.0.2.1 false', 'b 192.0.2.2 true']);
    prober.stop();
  });

  test('waits for its first round no longer than 10 s', async () => {
    const { prober, pass, states } = setting(() => new Promise(() => {}));
    prober.follow([one]);
    const ended = vi.fn();
    const round = prober.firstRound().then(ended);
    await pass(9_999);
    expect(ended).not.toHaveBeenCalled();
    await pass(1);
    await round;
    expect(states()).toEqual(['a 192.0.2.1 true']);
    prober.stop();
  });

  test('leaves no timer behind', async () => {
    const { prober, pass, asked } = setting(async () => OK);
    prober.follow([one]);
    prober.stop();
    await pass(10_000);
    expect(asked).not.toHaveBeenCalled();
  });
});

describe('a probe', () => {
  const servers: { server: Server; sockets: Set<Socket> }[] = [];
  afterEach(() => {
    for (const { server, sockets } of servers.splice(0)) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  async function serve(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    servers.push({ server, sockets });
    return (await listen(server, { host: '127.0.0.1', port: 0 })).port;
  }
  const look = (port: number, timeoutMs = 5_000, protocol: ProbeTarget['protocol'] = 'HTTP') => {
    const target = { protocol, address: '127.0.0.1', port, path: '/.weir/health', timeoutMs };
    return probe(target, new AbortController().signal);
  };

  test.each([
    [200, true],
    [204, false],
    [503, false],
  ])('that is answered with %i: %s', async (status, ok) => {
    const paths: (string | undefined)[] = [];
    const port = await serve(
      createHttpServer((request, response) => {
        paths.push(request.url);
        response.writeHead(status).end();
      }),
    );
    expect(await look(port)).toEqual({ ok, detail: `HTTP ${status}` });
    expect(paths).toEqual(['/.weir/health']);
  });

  test('of an edge that leaves is a fact that needs no second probe', async () => {
    const leaves = createHttpServer((_request, response) =>
      response.writeHead(503, { [LEAVING_HEADER]: '?1' }).end(),
    );
    expect(await look(await serve(leaves))).toEqual({ ok: false, leaves: true, detail: 'it leaves' });
  });

  test('of a process that accepts and says nothing fails at its time-out', async () => {
    const port = await serve(createServer());
    expect(await look(port, 100)).toEqual({ ok: false, detail: 'no answer in 100 ms' });
  });

  test('of a port where nobody listens fails with the system’s word for it', async () => {
    const port = await serve(createServer());
    servers[0]?.server.close();
    await eventually(async () => expect((await look(port)).detail).toBe('ECONNREFUSED'));
  });

  test('by TCP asks for no more than a connection', async () => {
    const port = await serve(createServer());
    expect(await look(port, 5_000, 'TCP')).toEqual({ ok: true, detail: 'accepted' });
    servers[0]?.server.close();
    await eventually(async () => {
      expect(await look(port, 5_000, 'TCP')).toEqual({ ok: false, detail: 'ECONNREFUSED' });
    });
  });

  describe('by HTTPS', () => {
    const [{ cert, key }] = TEST_CERTIFICATES;
    const asked: unknown[] = [];
    const startTls = () => {
      asked.length = 0;
      return serve(
        createHttpsServer({ cert, key }, (request, response) => {
          const { servername } = request.socket as TLSSocket;
          asked.push([servername, request.headers.host, request.url]);
          response.end();
        }),
      );
    };
    const lookTls = (port: number, tls: ProbeTarget['tls']) =>
      probe(
        { protocol: 'HTTPS', address: '127.0.0.1', port, path: '/.weir/health', tls, timeoutMs: 5_000 },
        new AbortController().signal,
      );

    test('names the host, by SNI too, and takes any certificate', async () => {
      const port = await startTls();
      const tls = { hostname: 'video.example.com', verify: false };
      expect(await lookTls(port, tls)).toEqual({ ok: true, detail: 'HTTP 200' });
      expect(asked).toEqual([['video.example.com', 'video.example.com', '/.weir/health']]);
    });

    test('finds a certificate that nobody trusts wrong where it verifies, and asks nothing of it', async () => {
      const port = await startTls();
      const tls = { hostname: 'dns-1.example', verify: true };
      expect(await lookTls(port, tls)).toEqual({ ok: false, detail: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
      expect(asked).toEqual([]);
    });

    test('of one that is trusted: it has to be for the hostname', async () => {
      const port = await startTls();
      const before = getCACertificates('default');
      setDefaultCACertificates([...before, cert]);
      const look = (hostname: string) => lookTls(port, { hostname, verify: true });
      expect(await look('dns-1.example')).toEqual({ ok: true, detail: 'HTTP 200' });
      expect(await look('video.example.com')).toEqual({
        ok: false,
        detail: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
      setDefaultCACertificates(before);
    });

    test('of a port that speaks no TLS fails', async () => {
      const port = await serve(createHttpServer((_, response) => void response.end()));
      expect(await lookTls(port, { hostname: 'a.example', verify: false })).toMatchObject({ ok: false });
    });
  });

  test('of something that is no HTTP fails', async () => {
    const port = await serve(createServer((socket) => void socket.end('hello\r\n\r\n')));
    expect(await look(port)).toMatchObject({ ok: false });
  });
});

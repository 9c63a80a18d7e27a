/**
 * Debian's `pebble`, an ACME server made for tests, with a CA of ours for its own certificate, and a door before it that
 * can be closed, slow, or answer something else.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { listen } from '../../lib/listen.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type TestPair, testCa } from '../../operator/testing/certificates.ts';

export const hasPebble = spawnSync('which', ['pebble']).status === 0;
if (!hasPebble) process.stderr.write('test/acme does not run: it needs `pebble` (apt-get install pebble)\n');

/** What the door does with a request instead of passing it on; nothing to pass it. */
export type Fault = (path: string, response: ServerResponse) => boolean | Promise<boolean>;

export interface Pebble {
  directory: string;
  /** PEM. */
  ca: string;
  fault: Fault | undefined;
  /** Requests since it began, `POST /order-plz`. */
  seen: string[];
  /** What came of those that were passed on, `201 /order-plz`: one in twenty is refused for its nonce, on purpose. */
  answered: string[];
  stop(): Promise<void>;
}

interface PebbleOptions {
  folder: string;
  dnsServer: string;
  httpPort: number;
  binding?: Record<string, string>;
}

export async function startPebble({ folder, dnsServer, httpPort, binding }: PebbleOptions): Promise<Pebble> {
  const ca = await testCa();
  const own = await ca.issue({
    names: ['localhost'],
    notBefore: '2020-01-01T00:00:00Z',
    notAfter: '2035-01-01T00:00:00Z',
  });
  const [port, management] = [await freePort(), await freePort()];
  const [certificate, privateKey, config] = ['crt', 'key', 'json'].map((ending) =>
    join(folder, `pebble.${ending}`),
  ) as [string, string, string];
  await writeFile(certificate, own['tls.crt']);
  await writeFile(privateKey, own['tls.key']);
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate,
    privateKey,
    httpPort,
    tlsPort: 5001,
    ocspResponderURL: '',
    externalAccountBindingRequired: binding !== undefined,
    ...(binding && { externalAccountMACKeys: binding }),
  };
  await writeFile(config, JSON.stringify({ pebble }));
  const child = spawn('pebble', ['-config', config, '-dnsserver', dnsServer], {
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const door = await openDoor(own, { port, ca: ca.root });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await eventually(() => {
    if (!log.includes('ACME directory available')) throw new Error(log);
  });
  return Object.assign(door, {
    ca: ca.root,
    stop: async () => {
      await door.close();
      await end(child, exited);
    },
  });
}

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

/** pebble names its URLs by the Host of the request, so that all of them lead through the door. */
async function openDoor(own: TestPair, { port, ca }: { port: number; ca: string }) {
  const server = createServer({ key: own['tls.key'], cert: own['tls.crt'] }, (incoming, response) => {
    pass(incoming, response).catch(() => response.destroy());
  });
  const pass = async (incoming: IncomingMessage, response: ServerResponse) => {
    door.seen.push(`${incoming.method} ${incoming.url}`);
    const body: Buffer[] = [];
    for await (const chunk of incoming) body.push(chunk as Buffer);
    if (await door.fault?.(incoming.url ?? '', response)) return;
    const { headers, method, url: path } = incoming;
    const onward = request(
      { host: '127.0.0.1', port, path, method, headers, ca, servername: 'localhost' },
      (answer) => {
        door.answered.push(`${answer.statusCode} ${path}`);
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    onward.end(Buffer.concat(body));
  };
  const bound = await listen(server, { host: '127.0.0.1', port: 0 });
  const door = {
    directory: `https://localhost:${bound.port}/dir`,
    fault: undefined as Fault | undefined,
    seen: [] as string[],
    answered: [] as string[],
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return door;
}

/** Free a moment ago. */
async function freePort(): Promise<number> {
  const server = createTcp();
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

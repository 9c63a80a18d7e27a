/**
 * `pebble`, an ACME server made for tests, with a CA of ours for its own certificate, and a door before it that can be
 * closed, slow, or answer something else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import { join } from 'node:path';
import { Agent, request as undici } from 'undici';
import { z } from 'zod';
import { listen } from '../../lib/listen.ts';
import { parsedJson } from '../../lib/parsed-json.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { type TestPair, testCa } from '../../operator/testing/certificates.ts';
import { pebbleProgram } from './pebble-program.ts';

/** What the door does with a request instead of passing it on; nothing to pass it. */
export type Fault = (path: string, response: ServerResponse) => boolean | Promise<boolean>;

export interface Pebble {
  directory: string;
  /** PEM. */
  ca: string;
  fault: Fault | undefined;
  /** Whether the answer, which pebble gave, gets lost on its way back. */
  losesAnswer: ((path: string) => boolean | Promise<boolean>) | undefined;
  /** Requests since it began, `POST /order-plz`. */
  seen: string[];
  /** What came of those that were passed on, `201 /order-plz`: one in twenty is refused for its nonce, on purpose. */
  answered: string[];
  /** What was signed in each of those that has a payload. */
  payloads: { answered: string; payload: unknown }[];
  /** When the server would like a certificate renewed from now on (RFC 9773). */
  suggest(chain: string, window: { start: Date; end: Date }): Promise<void>;
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
  const child = spawn(pebbleProgram?.path ?? 'pebble', ['-config', config, '-dnsserver', dnsServer], {
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
    async suggest(chain: string, { start, end }: { start: Date; end: Date }) {
      const ariResponse = JSON.stringify({ suggestedWindow: { start, end } });
      const url = `https://localhost:${management}/set-renewal-info/`;
      const { statusCode, body } = await undici(url, {
        method: 'POST',
        dispatcher: new Agent({ connect: { ca: ca.root } }),
        headers: { 'user-agent': 'test' },
        body: JSON.stringify({ certificate: chain, ariResponse }),
      });
      if (statusCode !== 200) throw new Error(`${statusCode} ${await body.text()}`);
    },
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
        const answered = `${answer.statusCode} ${path}`;
        door.answered.push(answered);
        const payload = payloadOf(Buffer.concat(body).toString());
        if (payload !== undefined) door.payloads.push({ answered, payload });
        void answerUnlessLost(answer, path ?? '', response);
      },
    );
    onward.on('error', () => response.destroy());
    onward.end(Buffer.concat(body));
  };
  const answerUnlessLost = async (answer: IncomingMessage, path: string, response: ServerResponse) => {
    if (await door.losesAnswer?.(path)) return void response.destroy();
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  };
  const bound = await listen(server, { host: '127.0.0.1', port: 0 });
  const door = {
    directory: `https://localhost:${bound.port}/dir`,
    fault: undefined as Fault | undefined,
    losesAnswer: undefined as Pebble['losesAnswer'],
    payloads: [] as Pebble['payloads'],
    seen: [] as string[],
    answered: [] as string[],
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return door;
}

const signed = z.object({ payload: z.string().min(1) });

/** Of a request that is signed (RFC 8555 6.2). */
function payloadOf(body: string): unknown {
  const { payload } = signed.safeParse(parsedJson(body)).data ?? {};
  return payload === undefined ? undefined : parsedJson(Buffer.from(payload, 'base64url').toString());
}

/**
 * HTTP/2 as h2spec judges it (145 cases of RFC 7540 and 7541): against an answer that the fast path has ready, and against
 * one that goes through node:http2. The program is built by Go once, and kept outside the tree.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cached } from '../cluster/binaries.ts';
import { HOST, type SecureEdge, startSecureEdge } from './secure-edge.ts';

const run = promisify(execFile);
const VERSION = 'v2.2.1+incompatible';
/** The program's own patience with one answer, in seconds: silence is a failure to it, or what it waits for. */
const PATIENCE = 5;

/**
 * RFC 9113 6.9.1 has the stream end or the connection. node:http2 ends the connection; h2spec knows the first alone.
 */
const KNOWN = [
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
];

let h2spec: string;
let secure: SecureEdge;

beforeAll(async () => {
  h2spec = await cached(join(homedir(), '.cache', 'weir-h2spec', VERSION), async (aside) => {
    const bin = join(dirname(aside), `bin-${process.pid}`);
    const env = { ...process.env, GOBIN: bin, GOFLAGS: '-trimpath', CGO_ENABLED: '0' };
    await run('go', ['install', `github.com/summerwind/h2spec/cmd/h2spec@${VERSION}`], { env });
    await run('mv', [join(bin, 'h2spec'), aside]);
    await rm(bin, { recursive: true });
  });
  secure = await startSecureEdge((request, response) => {
    request.resume();
    response.setHeader('cache-control', request.url === '/' ? 'max-age=600' : 'no-store');
    response.end('hello '.repeat(100));
  });
  await secure.edge.get('/', { host: HOST });
}, 300_000);
afterAll(() => secure.stop());

test.each(['/', '/not-stored'])(
  '%s: nothing but what is known and allowed',
  async (path) => {
    const args = [
      '-h',
      HOST,
      '-p',
      String(secure.edge.tlsPort),
      '-t',
      '-k',
      '-P',
      path,
      '-o',
      String(PATIENCE),
    ];
    // It ends with 1 where a case failed.
    const { stdout } = await run(h2spec, args).catch((error: { stdout: string }) => error);
    const failures = stdout.slice(stdout.indexOf('Failures:')).matchAll(/× \d+: (.*)/g);
    expect([...failures].map(([, name]) => name)).toEqual(KNOWN);
    expect(stdout).toMatch(/145 tests, 144 passed, 0 skipped, 1 failed/);
  },
  120_000,
);

/** TLS as testssl.sh judges it: protocols, ciphers, forward secrecy and the faults that have names. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, type SecureEdge, startSecureEdge } from './secure-edge.ts';

const run = promisify(execFile);
const CHECKS = ['--protocols', '--std', '--fs', '--server-preference', '--vulnerable'];
/** What it says of everything that is not a fault. */
const HARMLESS = new Set(['OK', 'INFO', 'DEBUG', 'LOW', 'WARN']);

interface Finding {
  id: string;
  severity: string;
  finding: string;
}

let secure: SecureEdge;
let folder: string;
let findings: Finding[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-testssl-'));
  secure = await startSecureEdge((_request, response) => response.end('hello'));
  const file = join(folder, 'findings.json');
  const quietly = ['--quiet', '--warnings', 'off', '--color', '0', '--openssl-timeout', '10'];
  const where = ['--ip', '127.0.0.1', `${HOST}:${secure.edge.tlsPort}`];
  // Its exit code counts what it found.
  await run('testssl', [...quietly, ...CHECKS, '--jsonfile', file, ...where], { cwd: folder }).catch(
    () => {},
  );
  findings = JSON.parse(await readFile(file, 'utf8'));
}, 300_000);
afterAll(async () => {
  await secure.stop();
  await rm(folder, { recursive: true, force: true });
});

const of = (id: string) => findings.find((each) => each.id === id)?.finding;

test('it finds no fault', () => {
  expect(findings.length).toBeGreaterThan(40);
  expect(findings.filter(({ severity }) => !HARMLESS.has(severity))).toEqual([]);
});

test('what is spoken, and what is not', () => {
  expect(['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', 'TLS1_2', 'TLS1_3'].map(of)).toEqual([
    'not offered',
    'not offered',
    'not offered',
    'not offered',
    'offered',
    expect.stringContaining('offered with final'),
  ]);
  expect(of('ALPN_HTTP2')).toBe('h2');
  expect(of('FS') ?? of('PFS')).toMatch(/^offered/);
});

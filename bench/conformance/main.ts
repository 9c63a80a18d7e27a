/**
 * The public tests for HTTP caches (github.com/http-tests/cache-tests, npm: http-cache-tests), run against our edge and
 * against nginx, Varnish and Traffic Server as Debian has them. A test may be `required` (a MUST), `optimal` (worth
 * having) or a `check` (told, not judged); one whose setup or dependency fails is not counted.
 *
 *     node bench/conformance/main.ts --suite DIR [--only weir,nginx] [--failed]
 *
 * DIR is a checkout with its node_modules. The tests pause a few seconds each, and run a hundred at a time.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../../lib/testing/free-port.ts';
import { type Server, start, tlsSetup } from '../edge/server.ts';
import { weir } from '../edge/weir.ts';
import { PEERS } from './peers.ts';
import { type Results, type Suite, scores } from './scores.ts';

const { values: options } = parseArgs({
  options: {
    suite: { type: 'string' },
    only: { type: 'string' },
    failed: { type: 'boolean', default: false },
  },
});
if (options.suite === undefined) throw new Error('--suite: a checkout of http-tests/cache-tests');
const suite = resolve(options.suite);
const names = options.only?.split(',');

const folder = await mkdtemp(join(tmpdir(), 'weir-conformance-'));
await chmod(folder, 0o755);
const originPort = await freePort();
const origin = inSuite('server/server.mjs', {
  port: String(originPort),
  protocol: 'http',
  pidfile: join(folder, 'pid'),
});
const suites = await readSuites();
try {
  for (const server of [weir, ...PEERS].filter(({ name }) => names?.includes(name) ?? true)) {
    const told = scores(suites, await run(server));
    print(`${server.name}: ${told.summary}`);
    if (options.failed) for (const line of told.failed) print(`  ${line}`);
  }
} finally {
  origin.kill();
  await rm(folder, { recursive: true, force: true });
}

async function run(server: Server): Promise<Results> {
  const own = join(folder, server.name);
  await mkdir(own);
  const port = await freePort();
  const running = await start(
    server,
    { folder: own, port, tls: await tlsSetup(), originPort, probe: '/package.json' },
    0,
  );
  try {
    const child = inSuite('cli.mjs', { base: `http://127.0.0.1:${port}`, id: '' });
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    // What comes before is what single tests had to say.
    return JSON.parse(text.slice(text.indexOf('{\n'))) as Results;
  } finally {
    await running.stop();
  }
}

/** Its programs take their settings as npm would hand them over. */
function inSuite(file: string, settings: Record<string, string>) {
  const config = Object.entries(settings).map(([name, value]) => [`npm_package_config_${name}`, value]);
  return spawn(process.execPath, ['--no-warnings', file], {
    cwd: suite,
    env: { ...process.env, ...Object.fromEntries(config) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function readSuites(): Promise<Suite[]> {
  const load = (file: string) => import(pathToFileURL(join(suite, 'tests', file)).href);
  const [all, surrogate] = [await load('index.mjs'), await load('surrogate-control.mjs')];
  return [...all.default, surrogate.default];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

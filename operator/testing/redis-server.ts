/** For tests: a real redis-server on a free loopback port, that keeps nothing; it can be killed and started again. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../lib/testing/eventually.ts';
import { freePort } from '../../lib/testing/free-port.ts';

const run = promisify(execFile);

export interface RedisServer {
  port: number;
  url: string;
  /** What redis-cli prints. */
  cli(...args: string[]): Promise<string>;
  kill(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** It hears and says nothing until it goes on: what a cut network is like. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Further flags of redis-server, by name. */
  flags?: Record<string, string>;
  /** Further flags of redis-cli. */
  cliFlags?: string[];
  scheme?: string;
}

export async function startRedis({ flags = {}, cliFlags = [], scheme = 'redis' }: RedisServerOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'weir-redis-'));
  const port = await freePort();
  const all = { bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', port: String(port), ...flags };
  const args = Object.entries(all).flatMap(([flag, value]) => [`--${flag}`, value]);
  let child: ChildProcess | undefined;
  const cli = async (...words: string[]) =>
    (await run('redis-cli', ['-p', String(port), ...cliFlags, ...words])).stdout.trim();
  const server: RedisServer = {
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    cli,
    async start() {
      child = spawn('redis-server', args, { stdio: 'ignore' });
      await eventually(async () => {
        const answer = await cli('PING');
        if (answer !== 'PONG') throw new Error(answer);
      });
    },
    async kill() {
      const ended = child && new Promise((resolve) => child?.once('exit', resolve));
      child?.kill('SIGKILL');
      await ended;
      child = undefined;
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  process.once('exit', () => child?.kill('SIGKILL'));
  await server.start();
  return server;
}

export interface RedisCluster {
  url: string;
  servers: RedisServer[];
  stop(): Promise<void>;
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const servers: RedisServer[] = [];
  for (let master = 0; master < 3; master++) {
    // The bus's port is otherwise the port and 10,000, which may be above the last one.
    const bus = String(await freePort());
    servers.push(await startRedis({ flags: { 'cluster-enabled': 'yes', 'cluster-port': bus } }));
  }
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  for (const server of servers) {
    await eventually(async () => {
      const state = await server.cli('CLUSTER', 'INFO');
      if (!state.includes('cluster_state:ok')) throw new Error(state);
    });
  }
  return {
    url: `redis+cluster://${addresses.join(',')}`,
    servers,
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

/** NSD and Knot DNS as Debian has them, each with the zone file, on a free port of loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askUdp, queryBytes } from '../../../dns-server/testing/ask.ts';
import type { ListenAddress } from '../../../lib/listen-address.ts';
import { eventually } from '../../../lib/testing/eventually.ts';
import { freePort } from '../../../lib/testing/free-port.ts';
import { ORIGIN, zoneFile } from './zone.ts';

export interface Peer {
  at: ListenAddress;
  stop(): Promise<void>;
}

interface Program {
  configuration: (folder: string, port: number) => string;
  command: (configuration: string) => [string, ...string[]];
}

export const PEERS: Record<'NSD' | 'Knot DNS', Program> = {
  NSD: {
    configuration: (folder, port) =>
      `server:\n  ip-address: 127.0.0.1@${port}\n  server-count: 1\n  username: ""\n  chroot: ""\n  database: ""\n` +
      `  zonesdir: "${folder}"\n  pidfile: "${folder}/nsd.pid"\n  xfrdfile: "${folder}/xfrd.state"\n` +
      `  zonelistfile: "${folder}/zone.list"\n  xfrdir: "${folder}"\n  rrl-ratelimit: 0\n` +
      `remote-control:\n  control-enable: no\nzone:\n  name: ${ORIGIN}\n  zonefile: zone\n`,
    command: (configuration) => ['nsd', '-d', '-c', configuration],
  },
  'Knot DNS': {
    configuration: (folder, port) =>
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${folder}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n` +
      `database:\n  storage: ${folder}\nlog:\n  - target: stderr\n    any: error\n` +
      `zone:\n  - domain: ${ORIGIN}\n    storage: ${folder}\n    file: zone\n    semantic-checks: off\n`,
    command: (configuration) => ['knotd', '-c', configuration],
  },
};

/** Another program may take a port between its being found free and its being used: then the next one is tried. */
const ATTEMPTS = 5;

export async function startPeer(program: Program): Promise<Peer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(program);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function start({ configuration, command }: Program): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-peer-'));
  const port = await freePort();
  const file = join(folder, 'server.conf');
  await writeFile(join(folder, 'zone'), zoneFile());
  await writeFile(file, configuration(folder, port));
  const [name, ...args] = command(file);
  // Where Debian has servers.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const at = { host: '127.0.0.1', port };
  const answers = eventually(async () => {
    if (!(await askUdp(at, queryBytes(ORIGIN, { type: 'SOA' }), 200))) throw new Error(`${name} is silent`);
  });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${name} ended: ${errors}`)));
  await Promise.race([answers, ended]);
  ended.catch(() => {});
  return { at, stop: () => end(child, folder) };
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  await rm(folder, { recursive: true, force: true });
}

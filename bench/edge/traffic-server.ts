/** Traffic Server, one event thread, with memory in front of a cache file. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

export const trafficServer: Server = {
  name: 'trafficserver',
  tier: 'memory',
  takes: ({ over }) => over === undefined,
  async command({ folder, port, originPort }) {
    const dirs = ['etc', 'log', 'run', 'cache'];
    // It refuses to run as root, and gives its rights away before it opens these.
    for (const dir of dirs) {
      await mkdir(join(folder, dir));
      await chmod(join(folder, dir), 0o777);
    }
    const records = {
      'exec_thread.autoconfig': 'INT 0',
      'exec_thread.limit': 'INT 1',
      'http.server_ports': `STRING ${port}:ip-in=127.0.0.1`,
      'cache.ram_cache.size': 'INT 1500000000',
      'cache.ram_cache_cutoff': 'INT 100000000',
      'log.logging_enabled': 'INT 0',
      'admin.user_id': 'STRING nobody',
      'http.cache.required_headers': 'INT 2',
    };
    const lines = Object.entries(records).map(([name, value]) => `CONFIG proxy.config.${name} ${value}`);
    await writeFile(join(folder, 'etc/records.config'), `${lines.join('\n')}\n`);
    await writeFile(join(folder, 'etc/storage.config'), `${folder}/cache 2G\n`);
    await writeFile(join(folder, 'etc/remap.config'), `map / http://127.0.0.1:${originPort}/\n`);
    await writeFile(join(folder, 'etc/plugin.config'), '');
    await writeFile(join(folder, 'etc/ip_allow.yaml'), IP_ALLOW);
    await writeFile(join(folder, 'runroot.yaml'), runroot(folder));
    return { file: 'traffic_server', args: [`--run-root=${folder}/runroot.yaml`] };
  },
};

/** Without it every client is turned away. */
const IP_ALLOW = 'ip_allow: [{ apply: in, ip_addrs: 0/0, action: allow, methods: ALL }]\n';

function runroot(folder: string): string {
  const paths = {
    prefix: folder,
    exec_prefix: '/usr',
    bindir: '/usr/bin',
    sbindir: '/usr/sbin',
    sysconfdir: `${folder}/etc`,
    datadir: `${folder}/cache`,
    includedir: '/usr/include',
    libdir: '/usr/lib/trafficserver',
    libexecdir: '/usr/lib/trafficserver/modules',
    localstatedir: `${folder}/run`,
    runtimedir: `${folder}/run`,
    logdir: `${folder}/log`,
    cachedir: `${folder}/cache`,
  };
  return `${Object.entries(paths)
    .map(([name, path]) => `${name}: ${path}`)
    .join('\n')}\n`;
}

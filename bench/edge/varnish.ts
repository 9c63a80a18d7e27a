/** Varnish with its objects in memory, without its log readers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

export const varnish: Server = {
  name: 'varnish',
  tier: 'memory',
  takes: ({ over }) => over === undefined,
  async command({ folder, port, originPort }) {
    const file = join(folder, 'default.vcl');
    await writeFile(file, `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${originPort}"; }\n`);
    // It drops its rights where it may, and then could not enter the folder.
    const args = ['-F', '-j', 'none', '-a', `127.0.0.1:${port}`, '-f', file, '-n', join(folder, 'run')];
    return { file: 'varnishd', args: [...args, '-s', 'malloc,1500m', '-p', 'thread_pools=1'] };
  },
};

/** The peers, with the settings that the suite's own container gives them: so the scores compare with published ones. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nginx } from '../edge/nginx.ts';
import type { Server } from '../edge/server.ts';
import { trafficServer } from '../edge/traffic-server.ts';
import { varnish } from '../edge/varnish.ts';

/** The benchmark's key leaves the query out, and it need not revalidate. */
const revalidatingNginx: Server = {
  ...nginx,
  async command(setup) {
    const command = await nginx.command(setup);
    const file = join(setup.folder, 'nginx.conf');
    const key = 'proxy_cache_key $host$request_uri; proxy_cache_revalidate on';
    await writeFile(file, (await readFile(file, 'utf8')).replace('proxy_cache_key $host$uri', key));
    return command;
  },
};

/** Without a freshness and a grace of its own. */
const plainVarnish: Server = {
  ...varnish,
  async command(setup) {
    const { file, args } = await varnish.command(setup);
    const own = ['default_ttl=0', 'default_grace=0', 'default_keep=3600'];
    return { file, args: [...args, ...own.flatMap((parameter) => ['-p', parameter])] };
  },
};

const headersTrafficServer: Server = {
  ...trafficServer,
  async command(setup) {
    const command = await trafficServer.command(setup);
    const own = ['url_remap.pristine_host_hdr INT 1', 'http.normalize_ae INT 1'];
    const lines = own.map((setting) => `CONFIG proxy.config.${setting}\n`);
    await appendFile(join(setup.folder, 'etc/records.config'), lines.join(''));
    return command;
  },
};

export const PEERS: readonly Server[] = [revalidatingNginx, plainVarnish, headersTrafficServer];

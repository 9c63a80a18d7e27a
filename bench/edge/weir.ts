/** Our edge, as it is started in earnest, with a plan on its disk and no operator. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { secretDigest } from '../../contract/stream/agent-secret.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { HOST, type Server } from './server.ts';

const MAIN = join(import.meta.dirname, '../../edge/main.ts');

export const weir: Server = edge('weir', 'memory', '512MiB');
/** On the same core as one: what the sharing costs, not what a second core brings. */
export const weirWorkers: Server = {
  ...edge('weir-workers', 'memory', '512MiB', 2),
  // Each on a connection of its own: every worker has it in memory then.
  warmUps: 16,
  takes: ({ over, unique }) => over === undefined && unique === undefined,
};
/** No large body fits into its memory tier: each comes from the disk, or from what the kernel keeps of it. */
export const weirDisk: Server = edge('weir-disk', 'disk', '4MiB');

function edge(name: string, tier: Server['tier'], memory: string, workers = 1): Server {
  return {
    name,
    tier,
    async command({ folder, port, tls, originPort }) {
      await writeFile(join(folder, 'plan.json'), JSON.stringify(published(originPort, tls.certificate)));
      await mkdir(join(folder, 'secrets'));
      await writeFile(join(folder, 'secrets', tls.certificate.name), tls.certificate.value, { mode: 0o600 });
      const options = {
        node: 'bench',
        operator: 'https://127.0.0.1:1',
        state: folder,
        listen: `127.0.0.1:${port}`,
        'listen-tls': `127.0.0.1:${tls.port}`,
        // The loads give no name.
        settings: JSON.stringify({ edge: { workers, tls: { defaultDomain: 'bench/bench' } } }),
        admin: `127.0.0.1:${await freePort()}`,
        memory,
        disk: '8GiB',
      };
      const flags = Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, value]);
      return { file: process.execPath, args: [MAIN, ...flags], env: { WEIR_LOG_LEVEL: 'error' } };
    },
  };
}

function published(originPort: number, { name, value }: { name: string; value: string }) {
  const plan = {
    domains: [
      {
        uid: 'uid-bench',
        namespace: 'bench',
        name: 'bench',
        hostnames: [HOST, '127.0.0.1'],
        origin: { name: 'main', url: `http://127.0.0.1:${originPort}` },
        rules: [
          {
            match: { pathPrefix: '/1g/sliced' },
            bypass: false,
            slices: true,
            query: { mode: 'Keep', names: [] },
          },
        ],
        tls: {
          certificates: [{ secret: name, digest: secretDigest(value) }],
          redirect: false,
          minVersion: '1.2' as const,
        },
        linger: 600,
      },
    ],
  };
  return { revision: { epoch: 1, seq: 1 }, digest: planDigest(plan), run: 'bench', plan };
}

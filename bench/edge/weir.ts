/** Our edge, as it is started in earnest, with a plan on its disk and no operator. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { freePort, HOST, type Server } from './server.ts';

const MAIN = join(import.meta.dirname, '../../edge/main.ts');

export const weir: Server = edge('weir', 'memory', '512MiB');
/** No large body fits into its memory tier: each comes from the disk, or from what the kernel keeps of it. */
export const weirDisk: Server = edge('weir-disk', 'disk', '4MiB');

function edge(name: string, tier: Server['tier'], memory: string): Server {
  return {
    name,
    tier,
    async command({ folder, port, originPort }) {
      await writeFile(join(folder, 'plan.json'), JSON.stringify(published(originPort)));
      const options = {
        node: 'bench',
        operator: 'https://127.0.0.1:1',
        state: folder,
        listen: `127.0.0.1:${port}`,
        admin: `127.0.0.1:${await freePort()}`,
        memory,
        disk: '8GiB',
      };
      const flags = Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, value]);
      return { file: process.execPath, args: [MAIN, ...flags], env: { WEIR_LOG_LEVEL: 'error' } };
    },
  };
}

function published(originPort: number) {
  const plan = {
    domains: [
      {
        uid: 'uid-bench',
        namespace: 'bench',
        name: 'bench',
        hostnames: [HOST, '127.0.0.1'],
        origin: { name: 'main', url: `http://127.0.0.1:${originPort}` },
        rules: [],
        linger: 600,
      },
    ],
  };
  return { revision: { epoch: 1, seq: 1 }, digest: planDigest(plan), run: 'bench', plan };
}

/** Makes what the e2e test needs and can't make on its LAN: programs of a cluster, Weir's bundle, and the images. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../../scripts/build.ts';
import {
  clusterDnsBinary,
  controlPlaneBinary,
  helmBinary,
  kubectlBinary,
  pauseBinary,
} from '../cluster/binaries.ts';

const [folder = ''] = process.argv.slice(2);
const ROOT = join(import.meta.dirname, '..', '..');
mkdirSync(folder, { recursive: true });
const image = (name: string, from: string) =>
  execFileSync('bash', [join(ROOT, 'test/cluster/image.sh'), name, from, join(folder, `${name}.tar`)], {
    cwd: ROOT,
    stdio: 'inherit',
  });

copyFileSync(await controlPlaneBinary(), join(folder, 'control-plane'));
copyFileSync(await clusterDnsBinary(), join(folder, 'cluster-dns'));
await kubectlBinary();
await helmBinary();
image('pause', await pauseBinary());
await build(join(folder, 'dist'));
image('weir', join(folder, 'dist'));

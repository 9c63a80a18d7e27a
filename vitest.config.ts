import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** They start a Kubernetes control plane, which takes seconds, and minutes where it has to be built first. */
const CLUSTER_TESTS = 'test/cluster/**';
/** They need root and containers: `npm run test:e2e` comes here from within a LAN of its own. */
const E2E_TESTS = 'test/e2e/**';
const withCluster = process.env.WEIR_TEST_CLUSTER === '1';
const withE2e = process.env.WEIR_E2E === '1';
if (!withCluster && !withE2e)
  console.log(`${CLUSTER_TESTS} does not run: \`npm run test:cluster\` does that (needs Go once)`);

if (withCluster && process.env.KUBECONFIG)
  console.log(
    `${CLUSTER_TESTS} runs in the cluster of KUBECONFIG: what kills an API server or reads its audit log does not run`,
  );

/** What controllers do: accounts of new namespaces, roles that gather others, quotas, an owner's end. `setup-envtest` brings none. */
const CONTROLLER_TESTS = ['acme', 'chart', 'tenancy'].map((name) => `test/cluster/${name}.test.ts`);
const assets = process.env.KUBECONFIG ? undefined : process.env.KUBEBUILDER_ASSETS;
const withControllers = !assets || existsSync(join(assets, 'kube-controller-manager'));
if (withCluster && !withControllers)
  console.log(
    `${CONTROLLER_TESTS.join(', ')} do not run: they need kube-controller-manager in KUBEBUILDER_ASSETS, or a cluster in KUBECONFIG`,
  );

/** A real redis-server, and openssl for its certificate; where CI lacks them, that is a fault. */
const REDIS_TESTS = 'operator/relay/redis/**';
const withRedis = process.env.CI !== undefined || ['redis-server', 'openssl'].every(isInstalled);
if (!withRedis) console.log(`${REDIS_TESTS} does not run: it needs redis-server and openssl`);

/** Servers of others that the same questions are put to. */
const PEER_TESTS = 'test/dns/peers/**';
const withPeers = ['nsd', 'knotd'].every(isInstalled);
if (!withPeers) console.log(`${PEER_TESTS} does not run: it needs nsd and knotd`);

/** What others judge HTTPS by: minutes, and the first is built from the network. */
const HTTPS_TESTS = {
  'test/https/h2spec.test.ts': 'go',
  'test/https/testssl.test.ts': 'testssl',
  'test/https/browser.test.ts': 'chromium',
};
const withHttps = process.env.WEIR_TEST_HTTPS === '1';
if (!withHttps) console.log('test/https/** does not run: `npm run test:https` does that');
const httpsTestsLeftOut = Object.entries(HTTPS_TESTS).flatMap(([file, program]) => {
  if (withHttps && isInstalled(program)) return [];
  if (withHttps) console.log(`${file} does not run: it needs ${program}`);
  return [file];
});

function isInstalled(program: string): boolean {
  // Debian has servers in /usr/sbin, which is not on everybody's PATH.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [
      '**/node_modules/**',
      '**/.weir/**',
      ...(withCluster ? [] : [CLUSTER_TESTS]),
      ...(withControllers ? [] : CONTROLLER_TESTS),
      ...(withE2e ? [] : [E2E_TESTS]),
      ...(withRedis ? [] : [REDIS_TESTS]),
      ...(withPeers ? [] : [PEER_TESTS]),
      ...httpsTestsLeftOut,
    ],
    // A process for each file: tests open sockets, start children and read process-wide metrics.
    pool: 'forks',
    // Two cores are what CI has; more workers would only make timing tests wait for one another.
    maxWorkers: 2,
    // A cluster of somebody's is one, and each file wants it for itself.
    fileParallelism: !(withCluster && process.env.KUBECONFIG),
    // Far above what any test needs: a slow machine may be slow, a hung test is still named.
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});

/** The image and the node: Weir's bundle runs in a pod, as nobody, on a root that it can't write to. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import manifest from '../../package.json' with { type: 'json' };
import { type ClusterWithNode, startClusterWithNode } from './cluster-with-node.ts';

let world: ClusterWithNode;

beforeAll(async () => {
  world = await startClusterWithNode();
}, 300_000);

afterAll(() => world.stop(), 60_000);

test('a restricted pod of the image runs the weir command', { timeout: 90_000 }, async () => {
  const kubectl = (args: string[], input?: unknown[]) => world.cluster.kubectl(args, input);
  await kubectl(['label', 'namespace', 'default', 'pod-security.kubernetes.io/enforce=restricted']);
  await kubectl(['apply', '-f', '-'], [pod('version', ['bin/weir', '--version'])]);
  const phase = ['get', 'pod', 'version', '-o', 'jsonpath={.status.phase}'];
  await eventually(async () => expect(await kubectl(phase)).toBe('Succeeded'), 60_000);
  expect(await kubectl(['logs', 'version'])).toBe(`${manifest.version}\n`);
});

const pod = (name: string, args: string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    containers: [
      {
        name,
        image: 'weir.dev/weir:test',
        imagePullPolicy: 'Never',
        args,
        securityContext: {
          runAsNonRoot: true,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    ],
  },
});

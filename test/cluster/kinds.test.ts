/** The kinds on a real API server: it accepts and refuses what the folder does, and shows them as people expect. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { badManifests, examples, goodManifests } from '../../contract/kinds/testdata.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    ['demo', 'node'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  );
}, 900_000);
afterAll(() => cluster.stop());

/** As kubectl asks by default: unknown fields are refused, not pruned. */
const create = (manifest: unknown) =>
  cluster.try(['create', '--dry-run=server', '--validate=strict', '-f', '-'], [manifest]);

describe('the API server and the folder agree', () => {
  test.each([...goodManifests, ...examples])('to accept $name', async ({ manifest }) => {
    expect(await create(manifest)).toMatchObject({ code: 0 });
  });

  test.each(badManifests.filter(({ folderOnly }) => !folderOnly))('to refuse $name', async (row) => {
    const { code, stderr } = await create(row.manifest);
    expect(code).toBe(1);
    // An object at fault, and not a kind that it does not know or a namespace that is not there.
    expect(stderr).toMatch(/is invalid|strict decoding error|BadRequest/);
    expect(stderr).not.toMatch(/no matches for kind|namespaces "[^"]*" not found/);
  });

  test.each(badManifests.filter(({ folderOnly }) => folderOnly))('not on $name', async ({ manifest }) => {
    expect(await create(manifest)).toMatchObject({ code: 0 });
  });
});

describe.each(Object.values(KINDS))('$kind', (kind) => {
  test('is explained', async () => {
    const text = await cluster.kubectl(['explain', `${kind.plural}.spec`]);
    expect(text).toContain(`KIND:       ${kind.kind}`);
    expect(text).not.toContain('<no description>');
  });

  test('is found by its short names and its category', async () => {
    const listed = await cluster.kubectl(['api-resources', '--categories=weir', '--no-headers']);
    expect(listed).toMatch(new RegExp(`^${kind.plural} +${kind.shortNames.join(',')} `, 'm'));
    for (const name of kind.shortNames) await cluster.kubectl(['get', name, '-A']);
  });
});

describe('an object that was created', () => {
  const job = (spec: object = {}) => ({
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'PurgeJob',
    metadata: { name: 'release-42', namespace: 'demo' },
    spec: { domainRef: { name: 'video' }, everything: true, ...spec },
  });
  const read = async (...args: string[]) => JSON.parse(await cluster.kubectl(['get', ...args, '-o', 'json']));

  beforeAll(async () => {
    const manifests = examples.filter(({ kind }) => kind !== 'PurgeJob').map(({ manifest }) => manifest);
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], [...manifests, job()]);
  });

  test('has the defaults, and a status that says that nobody looked at it yet', async () => {
    expect(await read('purge', 'release-42', '-n', 'demo')).toMatchObject({
      spec: { action: 'Purge', activeDeadlineSeconds: 3_600, ttlSecondsAfterFinished: 3_600 },
      status: { observedGeneration: -1 },
    });
  });

  test.each([
    ['cdn', ['-n', 'demo']],
    ['edge', []],
    ['purge', ['-n', 'demo']],
  ] as const)('shows the columns of %s', async (name, place) => {
    const definition = Object.values(KINDS).find(({ shortNames }) => shortNames.includes(name));
    const [head = ''] = (await cluster.kubectl(['get', name, ...place])).split('\n');
    const columns = definition?.columns.map((column) => column.name.toUpperCase()) ?? [];
    expect(head.split(/\s{2,}/).map((word) => word.trim())).toEqual(['NAME', ...columns, 'AGE']);
  });

  test('may be applied again, and a PurgeJob may not change', async () => {
    expect(await cluster.try(['apply', '--server-side', '-f', '-'], [job()])).toMatchObject({ code: 0 });
    const changed = job({ activeDeadlineSeconds: 7 });
    const { code, stderr } = await cluster.try(['apply', '--server-side', '-f', '-'], [changed]);
    expect(code).toBe(1);
    expect(stderr).toContain('the spec cannot be changed; make a new object');
  });
});

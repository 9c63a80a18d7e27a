/** Accepted forms on disk: what stays in force over a restart, whatever became of the manifests or of a file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateFolder } from '../../../contract/state-folder.ts';
import { silentLog } from '../../../lib/log.ts';
import { countingLog } from '../../../lib/testing/counting-log.ts';
import { listYaml } from '../../../lib/yaml-file.ts';
import { admit } from '../../admit/admit.ts';
import { type Accepted, NOTHING_ACCEPTED } from '../../admit/snapshot.ts';
import { domainManifest, jobManifest, loadedFrom, nodeManifest, SETTINGS } from '../../testing/manifests.ts';
import { acceptedFiles } from './accepted-files.ts';

let root: string;
let state: ReturnType<typeof stateFolder>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-accepted-'));
  state = stateFolder(root);
});
afterEach(() => rm(root, { recursive: true }));

const everything = domainManifest('video') + nodeManifest('la-1') + jobManifest('all');
const moment = (text: string) => loadedFrom({ 'weir.yaml': SETTINGS, 'a.yaml': text });

/** One life of the operator: reads what is there, admits a folder over it, writes it down. */
async function run(text: string) {
  const store = acceptedFiles(state, silentLog);
  const admission = admit(moment(text), await store.load());
  await store.save(admission.accepted);
  return admission;
}

const forms = ({ resources }: Accepted) =>
  new Map([...resources].map(([key, { resource }]) => [key, resource]));

test('what was saved is loaded, with its defaults', async () => {
  const { accepted } = await run(everything);
  const loaded = await acceptedFiles(state, silentLog).load();
  expect(loaded.config).toEqual(accepted.config);
  expect(forms(loaded)).toEqual(forms(accepted));
});

test('an empty state folder gives nothing', async () => {
  expect(await acceptedFiles(state, silentLog).load()).toEqual(NOTHING_ACCEPTED);
});

test('a manifest that went bad while the operator was down stays in force in its accepted form', async () => {
  const before = await run(everything);
  const bad = everything.replace('hostname: video.example.com', 'hostnam: video.example.com');
  const after = await run(bad);
  expect(after.problems).not.toEqual([]);
  expect(after.snapshot).toEqual(before.snapshot);
});

test('a file that parses no more keeps what it gave, also over two restarts', async () => {
  const before = await run(everything);
  await run('{ no: yaml');
  expect((await run('{ no: yaml')).snapshot).toEqual(before.snapshot);
});

test('a document that was deleted while the operator was down is deleted, file and all', async () => {
  await run(everything);
  expect((await run(nodeManifest('la-1'))).snapshot).toMatchObject({ domains: [], jobs: [] });
  expect((await listYaml(state.accepted)).map((path) => path.slice(state.accepted.length))).toEqual([
    '/edgenodes/_cluster/la-1.yaml',
    '/weir.yaml',
  ]);
});

test('a job of our own is one of our own after a restart', async () => {
  const loaded = moment(everything);
  const own = loaded.documents.map((document) => ({ ...document, ownJob: true }));
  const store = acceptedFiles(state, silentLog);
  await store.save(admit({ ...loaded, documents: own }, NOTHING_ACCEPTED).accepted);
  const { resources } = await acceptedFiles(state, silentLog).load();
  expect([...resources.values()].map(({ ownJob }) => ownJob)).toEqual([true, true, true]);
});

test('a corrupt file is told and left out; the others are loaded', async () => {
  const { accepted } = await run(everything);
  const nodeFile = state.acceptedFile({ kind: 'EdgeNode', namespace: '', name: 'la-1' });
  await writeFile(nodeFile, 'resource: { kind: EdgeNode');
  await writeFile(state.config, 'zones: [');
  const { log, lines } = countingLog();
  const loaded = await acceptedFiles(state, log).load();
  expect(lines.filter(({ path }) => [nodeFile, state.config].includes(String(path)))).toHaveLength(2);
  expect(loaded.config).toBeUndefined();
  expect([...loaded.resources.keys()].sort()).toEqual(
    [...accepted.resources.keys()].filter((key) => !key.startsWith('EdgeNode')).sort(),
  );
});

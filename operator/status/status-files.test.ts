/** Statuses on disk: they come back as they were, in an order that forgets nothing when the power goes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateFolder } from '../../contract/state-folder.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { silentLog } from '../../lib/log.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { resourceKey } from '../admit/snapshot.ts';
import type { Statuses, StatusRecord } from './record.ts';
import { changedRecords, statusFiles } from './status-files.ts';

let root: string;
let state: ReturnType<typeof stateFolder>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-status-'));
  state = stateFolder(root);
});
afterEach(() => rm(root, { recursive: true }));

const firstSeen = '2026-11-22T04:00:00.000Z';
const conditions = [
  {
    type: 'Ready',
    status: 'True' as const,
    reason: 'Ready',
    message: 'it serves',
    lastTransitionTime: firstSeen,
  },
];
const node = (name: string): StatusRecord<'EdgeNode'> => ({
  ref: { kind: 'EdgeNode', namespace: '', name },
  uid: `uid-${name}`,
  generation: 2,
  firstSeen,
  status: { acked: { epoch: 3, seq: 7 }, mustRevalidate: true, conditions },
});
const job: StatusRecord<'PurgeJob'> = {
  ref: { kind: 'PurgeJob', namespace: 'demo', name: 'all' },
  uid: 'uid-all',
  generation: 1,
  firstSeen,
  status: { nodes: { targeted: 2, acked: 1, failed: 0 }, objects: 5, startTime: firstSeen, conditions },
};
const domain: StatusRecord<'CdnDomain'> = {
  ref: { kind: 'CdnDomain', namespace: 'demo', name: 'video' },
  uid: 'uid-video',
  generation: 1,
  firstSeen,
  status: { cname: 'video.demo.cdn.example.net', since: { epoch: 3, seq: 1 } },
};
const statusesOf = (...records: StatusRecord[]): Statuses =>
  new Map(records.map((record) => [resourceKey(record.ref), record]));
const NONE: Statuses = new Map();

test('what was saved is loaded', async () => {
  const saved = statusesOf(job, domain, node('la-1'));
  await statusFiles(state, silentLog).save(NONE, saved);
  expect(new Map(await statusFiles(state, silentLog).load())).toEqual(new Map(saved));
});

test('what is gone is removed, what is the same is not written again', async () => {
  const store = statusFiles(state, silentLog);
  const before = statusesOf(job, node('la-1'));
  await store.save(NONE, before);
  // A mark in the file shows whether it was written.
  await rm(state.statusFile(node('la-1').ref));
  const after = new Map([...before].filter(([key]) => !key.startsWith('PurgeJob')));
  await store.save(before, after);
  expect(new Map(await store.load())).toEqual(NONE);
});

test('nodes are written before the jobs that they missed', () => {
  const records = changedRecords(NONE, statusesOf(job, domain, node('b'), node('a')));
  expect(records.map(({ ref }) => ref.kind)).toEqual(['EdgeNode', 'EdgeNode', 'CdnDomain', 'PurgeJob']);
});

test('a mark on a node is on disk although the job that it missed could not be written', async () => {
  // A file stands where the folder of jobs should be.
  await writeFileAtomic(dirname(dirname(state.statusFile(job.ref))), '');
  const store = statusFiles(state, silentLog);
  await expect(store.save(NONE, statusesOf(job, node('la-1')))).rejects.toThrow(/ENOTDIR|EEXIST/);
  expect(new Map(await store.load())).toEqual(statusesOf(node('la-1')));
});

test.each(['status: [', 'uid: 1\n', ''])('a corrupt file (%j) is told and left out', async (text) => {
  await statusFiles(state, silentLog).save(NONE, statusesOf(job, node('la-1')));
  const path = state.statusFile(job.ref);
  await writeFile(path, text);
  await writeFile(join(state.status, 'stray.yaml'), 'x: 1');
  const { log, lines } = countingLog();
  expect(new Map(await statusFiles(state, log).load())).toEqual(statusesOf(node('la-1')));
  expect(lines.map((line) => line.path)).toEqual([path]);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { temporaryFolder } from '../testing/run-weir.ts';
import { followInstallation, keepEdges } from './follow.ts';
import type { Installation, LocalEdge } from './programs.ts';
import { SMALLEST_SETTINGS } from './testing/settings.ts';

const edge = (name: string, port = 80): LocalEdge => ({
  tlsPort: undefined,
  name,
  region: 'all',
  addresses: ['127.0.0.1'],
  port,
});
/** An answer that lists these nodes; all are here but those that are only named. */
const answerOf = (here: LocalEdge[], others: { unreadable?: string[]; elsewhere?: string[] } = {}) => {
  const { unreadable = [], elsewhere = [] } = others;
  const readable = new Set([...here.map(({ name }) => name), ...elsewhere]);
  return { here, named: { all: new Set([...readable, ...unreadable]), readable } };
};
const names = (edges: readonly LocalEdge[]) => edges.map(({ name }) => name).join(' ');

test('an answer brings new and changed edges at once', () => {
  const { edges } = keepEdges([edge('b', 80)], answerOf([edge('b', 81), edge('a')]), new Map());
  expect(edges).toEqual([edge('a'), edge('b', 81)]);
});

test('an edge is gone after three answers in a row without it', () => {
  let edges: LocalEdge[] = [edge('a'), edge('b')];
  let missing: ReadonlyMap<string, number> = new Map();
  const answer = (...listed: string[]) => {
    const kept = keepEdges(edges, answerOf(listed.map((name) => edge(name))), missing);
    ({ edges, missing } = kept);
    return names(edges);
  };
  expect(answer('a')).toBe('a b');
  expect(answer('a')).toBe('a b');
  // It was a slip: the count begins anew.
  expect(answer('a', 'b')).toBe('a b');
  expect([answer('a'), answer('a'), answer('a')]).toEqual(['a b', 'a b', 'a']);
});

test('an edge that is listed with a spec that can not be read yet stays as it is', () => {
  let missing: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < 10; round++) {
    const kept = keepEdges([edge('a')], answerOf([], { unreadable: ['a'] }), missing);
    expect(names(kept.edges)).toBe('a');
    ({ missing } = kept);
  }
});

test('an edge whose EdgeNode moved to another machine is gone at once', () => {
  expect(keepEdges([edge('a')], answerOf([], { elsewhere: ['a'] }), new Map()).edges).toEqual([]);
});

test('follows what the operator says; its silence and half an answer change nothing', async () => {
  const root = await temporaryFolder({ 'accepted/weir.yaml': stringify(SMALLEST_SETTINGS) });
  const view = (name: string, spec: object): ResourceView => ({
    kind: 'EdgeNode',
    metadata: { name, namespace: '' },
    spec,
    status: {},
  });
  const spec = (http: number) => ({ addresses: ['127.0.0.1'], ports: { http }, region: 'all' });
  let answer: () => ResourceView[] = () => {
    throw new Error('connection refused');
  };
  const seen: Installation[] = [];
  const clock = new FakeClock();
  const config = weirConfig.parse(SMALLEST_SETTINGS);
  const stop = followInstallation({
    installation: { folder: root, state: stateFolder(root), config, edges: [edge('a')] },
    operator: () => ({
      resources: async () => ({ resources: answer() }),
      routing: () => Promise.reject(),
      metrics: () => Promise.reject(),
      force: () => Promise.reject(),
    }),
    clock,
    log: silentLog,
    onChange: (installation) => void seen.push(installation),
  });
  const poll = async () => {
    const before = seen.length;
    clock.advance(1_000);
    await eventually(() => expect(seen.length).toBe(before + 1));
    return seen.at(-1);
  };

  expect((await poll())?.edges).toEqual([edge('a')]);
  answer = () => [view('a', {}), view('b', spec(81))];
  expect((await poll())?.edges).toEqual([edge('a'), edge('b', 81)]);
  answer = () => [view('a', spec(82))];
  expect((await poll())?.edges).toEqual([edge('a', 82), edge('b', 81)]);
  await poll();
  await writeFile(
    join(root, 'accepted/weir.yaml'),
    stringify({ ...SMALLEST_SETTINGS, cache: { memory: '1MiB' } }),
  );
  const last = await poll();
  expect(last?.edges).toEqual([edge('a', 82)]);
  expect(last?.config.cache.memory).toBe('1MiB');

  stop();
  clock.advance(10_000);
  expect(seen.at(-1)).toBe(last);
});

import { cp, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { openBatchFiles } from './batch-files.ts';

const MINUTE = 60_000;
const START = 29_000_000 * MINUTE;

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(request.url === '/gone' ? 404 : 200, { 'cache-control': 'max-age=600' }).end('hello');
  });
  edge = await startTestEdge({ origin: origin.url, clock: new FakeClock(START + 1_000) });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const told = () => edge.reports.flatMap((report) => (report.type === 'usage' ? [report.batches] : []));
const files = () => readdir(join(edge.state, 'usage'));
const taken = (ids: string[]) => edge.command({ type: 'usageTaken', uid: 'u', ids });

async function minutePasses() {
  const before = told().length;
  edge.clock.advance(MINUTE);
  return await eventually(() => {
    expect(told().length).toBeGreaterThan(before);
    return told().at(-1) ?? [];
  });
}

test('a minute makes a row of each domain, hits of the fast path too, and is told until it is taken', async () => {
  await edge.get('/a');
  await edge.get('/a', { headers: { connection: 'keep-alive' } });
  await edge.get('/gone');
  await edge.get('/x', { host: 'elsewhere.example' });
  const [batch, ...others] = await minutePasses();
  expect(others).toEqual([]);
  expect(batch).toMatchObject({
    minute: 29_000_000,
    rows: [
      {
        domain: 'demo/video',
        requests: 3,
        clientBytes: 15,
        originBytes: 10,
        statuses: { '2xx': 2, '4xx': 1 },
        results: { miss: 2, hit: 1 },
      },
    ],
  });
  expect(await edge.metric('fast_hits_total')).toBe(1);
  const again = await minutePasses();
  expect(again).toEqual([batch]);
  expect(await taken([batch?.id ?? ''])).toMatchObject({ objects: 1 });
  expect(await taken([batch?.id ?? ''])).toMatchObject({ objects: 0 });
  expect(await files()).toEqual([]);
});

test('what is not taken is told by the next run, and a stop loses nothing of the running minute', async () => {
  await edge.get('/a');
  await minutePasses();
  await edge.get('/a');
  await edge.stop();
  edge = await startTestEdge({ origin: origin.url, state: edge.state, clock: edge.clock });
  expect(
    told()
      .at(-1)
      ?.map(({ minute, rows }) => [minute, rows[0]?.requests]),
  ).toEqual([
    [29_000_000, 1],
    [29_000_001, 1],
  ]);
});

test('what lies on disk while it runs is all but the running minute: a kill loses no more', async () => {
  await edge.get('/a');
  const before = await minutePasses();
  await edge.get('/a');
  const state = await mkdtemp(join(tmpdir(), 'weir-edge-'));
  await cp(join(edge.state, 'usage'), join(state, 'usage'), { recursive: true });
  const next = await startTestEdge({ origin: origin.url, state, clock: edge.clock });
  expect(next.reports).toEqual([{ type: 'usage', batches: before }]);
  await next.stop();
  await next.remove();
});

test('what is kept is bounded, the oldest go, and what cannot be read is thrown away', async () => {
  const folder = join(edge.state, 'own');
  let dropped = 0;
  const onDropped = (batches: number) => {
    dropped += batches;
  };
  const open = () => openBatchFiles(folder, { log: silentLog, onDropped, max: 2 });
  const first = await open();
  for (const minute of [9, 10, 11]) await first.add({ id: `${minute}-ab-0`, minute, rows: [] });
  expect(dropped).toBe(1);
  const second = await open();
  expect(second.ids()).toEqual(['10-ab-0', '11-ab-0']);
  await writeFile(join(folder, '10-ab-0.json'), '{');
  expect(await second.read('10-ab-0')).toBeUndefined();
  expect([second.ids(), dropped]).toEqual([['11-ab-0'], 2]);
});

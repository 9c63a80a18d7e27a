import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AccessLogSettings } from '../../contract/config/access-log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from '../testing/script-origin.ts';
import { startTestEdge, type TestEdge } from '../testing/test-edge.ts';
import { lineFormat } from './line.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

async function start(settings: Partial<AccessLogSettings> = {}) {
  edge = await startTestEdge({
    origin: origin.url,
    settings: { accessLog: { file: 'access-{node}.log', ...settings } },
  });
}

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    response.writeHead(request.url === '/broken' ? 500 : 200, { 'cache-control': 'max-age=60' }).end('hello');
  });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

const path = () => join(edge.state, 'access-zz-1.log');
const text = async () => readFile(path(), 'utf8').catch(() => '');
/** Lets it write, and gives the lines once there are so many. */
async function lines(count: number): Promise<string[]> {
  return await eventually(async () => {
    edge.clock.advance(250);
    const rows = (await text()).split('\n').slice(0, -1);
    expect(rows).toHaveLength(count);
    return rows;
  });
}

test('a miss, a hit straight from the socket, and a refusal, as JSON lines', async () => {
  await start();
  await edge.get('/a?x=1', { headers: { 'user-agent': 'one "two"', referer: 'http://r/' } });
  const plain = { headers: { 'user-agent': 'one', connection: 'keep-alive' } };
  await edge.get('/a?x=1', plain);
  await edge.get('/a', { host: 'elsewhere.example' });
  const rows = (await lines(3)).map((line) => JSON.parse(line));
  const common = {
    time: expect.stringMatching(/^20.*Z$/),
    node: 'zz-1',
    client: '127.0.0.1',
    protocol: 'HTTP/1.1',
    method: 'GET',
    scheme: 'http',
  };
  expect(rows).toEqual([
    {
      ...common,
      domain: 'demo/video',
      host: 'video.example.com',
      url: '/a?x=1',
      status: 200,
      bytes: 5,
      result: 'miss',
      ms: expect.any(Number),
      referer: 'http://r/',
      userAgent: 'one "two"',
    },
    {
      ...common,
      domain: 'demo/video',
      host: 'video.example.com',
      url: '/a?x=1',
      status: 200,
      bytes: 5,
      result: 'hit',
      userAgent: 'one',
    },
    {
      ...common,
      domain: '',
      host: 'elsewhere.example',
      url: '/a',
      status: 404,
      bytes: expect.any(Number),
      result: 'refused',
      ms: expect.any(Number),
    },
  ]);
  expect(await edge.metric('fast_hits_total')).toBe(1);
});

test('a format of one’s own, in which no client can begin a line', async () => {
  await start({ format: '{client} "{method} {url}" {status} "{userAgent}" {referer}' });
  await edge.get('/a', { headers: { 'user-agent': 'x" 200 \\' } });
  expect(await lines(1)).toEqual(['127.0.0.1 "GET /a" 200 "x\\x22 200 \\x5c" -']);
  const entry = { time: '', status: 200, url: 'a\nb\u00fc' } as Parameters<ReturnType<typeof lineFormat>>[0];
  expect(lineFormat('{url}')(entry)).toBe('a\\x0ab\\xfc\n');
});

test('a share of the requests, and every one that failed', async () => {
  await start({ sample: 0.25, format: '{url}' });
  for (let turn = 0; turn < 8; turn++) await edge.get('/a');
  await edge.get('/broken');
  expect(await lines(3)).toEqual(['/a', '/a', '/broken']);
});

test('only the domains that are named', async () => {
  await start({ domains: ['demo/video'], format: '{host}' });
  await edge.get('/a', { host: 'elsewhere.example' });
  await edge.get('/a');
  expect(await lines(1)).toEqual(['video.example.com']);
});

describe('a file that is rotated', () => {
  test.each([
    ['is found out within a second', () => edge.clock.advance(1_000)],
    ['is told', () => edge.edge.reopenLogs()],
  ])('%s', async (_name, rotated) => {
    await start({ format: '{url}' });
    await edge.get('/one');
    await lines(1);
    await rename(path(), `${path()}.1`);
    rotated();
    // Which file a line goes to in the moment of finding out is chance.
    await eventually(async () => {
      await edge.get('/two');
      edge.clock.advance(250);
      expect(await text()).toMatch(/^(?:\/two\n)+$/);
    });
    expect(await readFile(`${path()}.1`, 'utf8')).toMatch(/^\/one\n(?:\/two\n)*$/);
  });
});

test('what cannot be written is counted, no request waits for it, and it goes on when it can', async () => {
  await start({ format: '{url}' });
  await mkdir(path());
  expect((await edge.get('/a')).status).toBe(200);
  await eventually(async () => {
    edge.clock.advance(250);
    expect(await edge.metric('access_log_dropped_total')).toBe(1);
  });
  await rm(path(), { recursive: true });
  await edge.get('/b');
  expect(await lines(1)).toEqual(['/b']);
});

test('what is not out yet is written before it stops', async () => {
  await start({ format: '{url}' });
  await edge.get('/a');
  await edge.stop();
  expect(await text()).toBe('/a\n');
  edge = await startTestEdge({ origin: origin.url, state: edge.state });
});

test('without the setting there is none', async () => {
  edge = await startTestEdge({ origin: origin.url });
  await edge.get('/a');
  edge.clock.advance(1_000);
  await expect(stat(path())).rejects.toThrow('ENOENT');
});

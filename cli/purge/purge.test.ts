/** `weir purge`: the pure parts, and the command against an operator that is played here. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Condition } from '../../contract/kinds/conditions.ts';
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { playOperator } from '../../operator/testing/play-operator.ts';
import { testBundle } from '../../operator/testing/trust.ts';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';
import { findDomain } from './find-domain.ts';
import { purgeManifest, purgeName } from './job.ts';
import { finalText, outcomeOf, progressText } from './progress.ts';

const domain = (namespace: string, name: string, hostname: string, aliases?: string[]): ResourceView => ({
  kind: 'CdnDomain',
  metadata: { namespace, name },
  spec: { hostname, ...(aliases && { aliases }) },
  status: {},
});
const DOMAINS = [
  domain('demo', 'video', 'video.example.com', ['v2.example.com']),
  domain('shop', 'video', 'video.shop.example'),
  domain('shop', 'www', 'www.shop.example'),
];
const condition = (type: string, status: Condition['status'], message = ''): Condition => ({
  type,
  status,
  reason: 'Because',
  message,
  lastTransitionTime: '2026-11-22T12:00:00Z',
});
const job = (status: PurgeJobStatus): ResourceView<'PurgeJob'> => ({
  kind: 'PurgeJob',
  metadata: { namespace: 'demo', name: 'purge-x' },
  spec: {},
  status,
});
const WAITING = job({
  nodes: { targeted: 3, acked: 1, failed: 0 },
  awaited: [{ node: 'la-1', reason: 'NotConnected' }],
  conditions: [condition('Complete', 'False'), condition('Failed', 'False')],
});
const COMPLETE = job({
  nodes: { targeted: 3, acked: 3, failed: 0 },
  awaited: [],
  objects: 1,
  conditions: [condition('Complete', 'True'), condition('Failed', 'False')],
});
const FAILED = job({
  nodes: { targeted: 3, acked: 2, failed: 0 },
  awaited: [{ node: 'la-1', reason: 'NotConnected' }],
  conditions: [condition('Complete', 'False'), condition('Failed', 'True', 'the deadline passed')],
});

describe('the domain', () => {
  test.each([
    ['by namespace and name', 'shop/video', [], 'shop/video'],
    ['by a name that is the only one', 'www', [], 'shop/www'],
    ['by hostname', 'video.shop.example', [], 'shop/video'],
    ['by the host of a URL', undefined, ['https://video.example.com/a?b'], 'demo/video'],
    ['by an alias, in any case', undefined, ['http://V2.example.com:8080/'], 'demo/video'],
    [
      'by hosts of one domain',
      undefined,
      ['http://video.example.com/', 'http://v2.example.com/'],
      'demo/video',
    ],
  ])('%s', (_, name, urls, expected) => {
    const found = findDomain(DOMAINS, name, urls);
    expect(`${found.namespace}/${found.name}`).toBe(expected);
  });

  test.each([
    [
      'that there is not',
      'nope',
      [],
      '--domain nope: no such domain; there is demo/video, shop/video, shop/www',
    ],
    ['that is two', 'video', [], '--domain video is more than one domain; there is demo/video, shop/video'],
    [
      'of a strange host',
      undefined,
      ['http://video.example.com/', 'http://x.example/'],
      'x.example: no such domain',
    ],
    [
      'of two hosts',
      undefined,
      ['http://video.example.com/', 'http://www.shop.example/'],
      'more than one domain',
    ],
  ])('%s is refused', (_, name, urls, message) => {
    expect(() => findDomain(DOMAINS, name, urls)).toThrow(message);
  });
});

describe('the job', () => {
  const where = { namespace: 'demo', name: 'video' };
  const nothing = { url: [], prefix: [], tag: [] };

  test('has the target that was named', () => {
    const spec = (targets: object) => purgeManifest(where, { ...nothing, ...targets }, 'purge-x').spec;
    expect(spec({ everything: true })).toEqual({ domainRef: { name: 'video' }, everything: true });
    expect(spec({ url: ['http://a.example/b'] })).toMatchObject({ urls: ['http://a.example/b'] });
    expect(spec({ prefix: ['http://a.example/b'] })).toMatchObject({ prefixes: ['http://a.example/b'] });
    expect(spec({ tag: ['film-1'], soft: true })).toMatchObject({ action: 'SoftPurge', tags: ['film-1'] });
    expect(spec({ regex: '^/a' })).toMatchObject({ regex: '^/a' });
  });

  test.each([
    [{}, 'one of the five'],
    [{ regex: '(a)\\1' }, 'spec.regex: a regular expression without'],
    [{ tag: ['a,b'] }, 'spec.tags[0]: a tag'],
    [{ everything: true, url: ['http://a.example/'] }, 'one of the five'],
    [{ url: ['/video.bin'] }, 'spec.urls[0]: a URL such as https://host/path'],
  ])('%j is refused', (targets, message) => {
    expect(() => purgeManifest(where, { ...nothing, ...targets }, 'purge-x')).toThrow(message);
  });

  test('has a name that sorts by time', () => {
    expect(purgeName(Date.parse('2026-11-22T13:01:02.345Z'), 'a1b2c3')).toBe('purge-20261122t130102-a1b2c3');
  });
});

describe('in words', () => {
  test.each([
    [undefined, 'not started yet'],
    [WAITING, '1 of 3 nodes acked; waiting for la-1 (NotConnected), 1 more'],
    [COMPLETE, '3 of 3 nodes acked'],
  ])('progress %#', (view, text) => {
    expect(progressText(view)).toBe(text);
  });

  test.each([
    [undefined, undefined, 'demo/p: not taken up after 2 s'],
    [
      WAITING,
      undefined,
      'demo/p: still running after 2 s: 1 of 3 nodes acked; waiting for la-1 (NotConnected)',
    ],
    [COMPLETE, 'Complete', 'demo/p: Complete: 3 of 3 nodes acked, 1 object dropped'],
    [
      FAILED,
      'Failed',
      'demo/p: Failed: the deadline passed (2 of 3 nodes acked; waiting for la-1 (NotConnected)',
    ],
  ])('the end %#', (view, outcome, text) => {
    expect(outcomeOf(view)).toBe(outcome);
    expect(finalText('demo/p', view, 2_000)).toContain(text);
  });
});

describe('the command', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  /** An operator that sees the job once it lies in the state folder, and gives it these statuses in a row. */
  async function operatorThatSays(statuses: PurgeJobStatus[]): Promise<{ state: string; url: string }> {
    const state = await temporaryFolder({ token: 'secret\n', 'trust/ca.pem': await testBundle() });
    const jobs = async () => (existsSync(join(state, 'jobs')) ? await readdir(join(state, 'jobs')) : []);
    const answer = async () => {
      const [file] = await jobs();
      const status = statuses.length > 1 ? statuses.shift() : statuses[0];
      const [namespace = '', name = ''] = file?.split('.') ?? [];
      const view = { kind: 'PurgeJob', metadata: { namespace, name }, spec: {}, status };
      return JSON.stringify({ resources: file ? [...DOMAINS, view] : DOMAINS });
    };
    const { url, stop } = await playOperator((request, response) => {
      if (request.headers.authorization !== 'Bearer secret') return void response.writeHead(401).end();
      void answer().then((body) => response.end(body));
    });
    stops.push(stop);
    return { state, url };
  }

  test('writes a job, follows it to its end, and exits with 0', async () => {
    const { state, url } = await operatorThatSays([WAITING.status, COMPLETE.status]);
    const target = ['--url', 'http://video.example.com/video.bin'];
    const ran = await runWeir(['purge', ...target, '--state', state, '--operator', url]);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(
      /^demo\/purge-\d{8}t\d{6}-[0-9a-f]{6}: Complete: 3 of 3 nodes acked, 1 object dropped\n$/,
    );

    const [file = ''] = await readdir(join(state, 'jobs'));
    expect(file).toMatch(/^demo\.purge-.*\.yaml$/);
    expect(parse(await readFile(join(state, 'jobs', file), 'utf8'))).toMatchObject({
      kind: 'PurgeJob',
      metadata: { namespace: 'demo', name: file.split('.')[1] },
      spec: { domainRef: { name: 'video' }, urls: ['http://video.example.com/video.bin'] },
    });
  });

  test('exits with 1 when the job failed, and prints it as JSON', async () => {
    const { state, url } = await operatorThatSays([FAILED.status]);
    const args = [
      '--domain',
      'demo/video',
      '--everything',
      '-o',
      'json',
      '--state',
      state,
      '--operator',
      url,
    ];
    const { code, stdout } = await runWeir(['purge', ...args]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'PurgeJob', status: { nodes: { acked: 2 } } });
  });

  test('exits with 3 when the time is up, and names who is waited for', async () => {
    const { state, url } = await operatorThatSays([WAITING.status]);
    const args = [
      '--domain',
      'demo/video',
      '--everything',
      '--wait',
      '300ms',
      '--state',
      state,
      '--operator',
      url,
    ];
    const { code, stdout } = await runWeir(['purge', ...args]);
    expect(code).toBe(3);
    expect(stdout).toContain('waiting for la-1 (NotConnected)');
  });

  test('does not wait with --no-wait', async () => {
    const { state, url } = await operatorThatSays([WAITING.status]);
    const args = ['--domain', 'demo/video', '--everything', '--no-wait', '--state', state, '--operator', url];
    const { code, stdout } = await runWeir(['purge', ...args]);
    expect(code).toBe(0);
    expect(stdout).toContain('handed over');
    expect(await readdir(join(state, 'jobs'))).toHaveLength(1);
  });

  test('exits with 1 for a domain that there is not, and leaves no job behind', async () => {
    const { state, url } = await operatorThatSays([WAITING.status]);
    const args = ['--url', 'http://strange.example/', '--state', state, '--operator', url];
    const { code, stderr } = await runWeir(['purge', ...args]);
    expect(code).toBe(1);
    expect(stderr).toBe('weir: strange.example: no such domain; there is demo/video, shop/video, shop/www\n');
    expect(existsSync(join(state, 'jobs'))).toBe(false);
  });

  test('exits with 4 where nothing of Weir is', async () => {
    const folder = await temporaryFolder();
    const { code, stderr } = await runWeir(['purge', '--domain', 'video', '--everything', '--state', folder]);
    expect(code).toBe(4);
    expect(stderr).toContain(`${folder} is no state folder`);
  });
});

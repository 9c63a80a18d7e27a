import { expect, test } from 'vitest';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';
import { prefetchManifests } from './command.ts';

const where = { namespace: 'demo', name: 'video' };
const pull = { concurrency: 4, rate: 20 };

test('as many jobs as the URLs need, in order', () => {
  const urls = Array.from({ length: 1_201 }, (_, index) => `http://video.example.com/${index}`);
  const manifests = prefetchManifests(where, urls, pull, 'p');
  expect(manifests.map(({ metadata, spec }) => [metadata.name, spec.urls.length])).toEqual([
    ['p-1', 500],
    ['p-2', 500],
    ['p-3', 201],
  ]);
  expect(manifests.flatMap(({ spec }) => spec.urls)).toEqual(urls);
  expect(manifests[0]?.spec).toMatchObject({
    action: 'Prefetch',
    prefetch: { concurrency: 4, perSecond: 20 },
  });
});

test.each([
  [['/a'], pull, 'spec.urls[0]: a URL such as'],
  [['http://video.example.com/a'], { concurrency: 0, rate: 20 }, 'spec.prefetch.concurrency'],
])('%j with %j is refused', (urls, given, message) => {
  expect(() => prefetchManifests(where, urls, given, 'p')).toThrow(message);
});

test('a file that is not there is a fault of the command line', async () => {
  const { code, stderr } = await runWeir(['prefetch', '--from', '/nonexistent/urls.txt']);
  expect(stderr).toBe(
    "weir: --from /nonexistent/urls.txt: ENOENT: no such file or directory, open '/nonexistent/urls.txt'\n",
  );
  expect(code).toBe(2);
});

test('nothing to fetch is a fault of the command line', async () => {
  const { code, stderr } = await runWeir(['prefetch', '--state', await temporaryFolder()]);
  expect(stderr).toContain('say what to fetch: --url or --from');
  expect(code).toBe(2);
});

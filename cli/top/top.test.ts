/** From what edges report, by the operator's metrics, to what `weir top` prints. */
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { FakeClock } from '../../lib/clock.ts';
import { loadBook } from '../../operator/publish/load-book.ts';
import { busynessOf, NOTHING_TOLD } from './busyness.ts';
import { topOf, topText } from './rows.ts';

const ready = (status: 'True' | 'False', reason: string) => ({
  conditions: [{ type: 'Ready', status, reason, message: '', lastTransitionTime: '2026-11-22T12:00:00Z' }],
});
const RESOURCES: ResourceView[] = [
  { kind: 'EdgeNode', metadata: { namespace: '', name: 'la-1' }, spec: {}, status: ready('True', 'Ready') },
  { kind: 'EdgeNode', metadata: { namespace: '', name: 'zz-1' }, spec: {}, status: ready('True', 'Ready') },
  {
    kind: 'EdgeNode',
    metadata: { namespace: '', name: 'gone' },
    spec: {},
    status: ready('False', 'NotConnected'),
  },
  ...['video', 'idle'].map((name) => ({
    kind: 'CdnDomain' as const,
    metadata: { namespace: 'demo', name },
    spec: { hostname: `${name}.example.com` },
    status: ready('True', 'Ready'),
  })),
];

const report = (requestsPerSecond: number, bitsPerSecond: number) => {
  const rates = { requestsPerSecond, hitsPerSecond: requestsPerSecond * 0.75, bitsPerSecond };
  const domains = [{ domain: 'demo/video', ...rates }];
  return { type: 'load' as const, cpu: 0.25, connections: 7, ...rates, domains };
};

test('edges and domains, the busiest first', async () => {
  const [registry, clock] = [new Registry(), new FakeClock()];
  const book = loadBook(registry, clock);
  book.note('gone', report(1, 1));
  clock.advance(25_000);
  book.note('la-1', report(4, 1_500));
  book.note('zz-1', report(1_200, 2.5e9));
  clock.advance(10_000);
  const top = topOf(RESOURCES, busynessOf(await registry.metrics()));
  expect(topText(top, 10).join('\n')).toBe(
    `
EDGE  READY         CPU  CONNECTIONS  REQUESTS  BANDWIDTH  HITS
zz-1  True          25%  7            1200/s    2.5Gbps    75%
la-1  True          25%  7            4/s       1.5Kbps    75%
gone  NotConnected  -    -            -         -          -

DOMAIN      HOSTNAME           READY  REQUESTS  BANDWIDTH  HITS
demo/video  video.example.com  True   1204/s    2.5Gbps    75%
demo/idle   idle.example.com   True   0/s       0bps       -
`.trim(),
  );
  expect(topText(top, 1).at(-1)).toBe('and 1 more');
});

test('what nobody told is not made up', () => {
  const { edges, domains } = topOf(RESOURCES, NOTHING_TOLD);
  expect(edges[0]).toEqual({ node: 'la-1', ready: 'True' });
  expect(domains[0]).toEqual({ domain: 'demo/video', hostname: 'video.example.com', ready: 'True' });
});

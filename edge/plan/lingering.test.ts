import { expect, test } from 'vitest';
import type { EdgeDomain } from '../../contract/plans/edge-plan.ts';
import { lingerAfter } from './lingering.ts';

const domain = (uid: string, linger = 600): EdgeDomain => ({
  uid,
  namespace: 'demo',
  name: uid,
  hostnames: [`${uid}.example.com`],
  origin: { name: 'main', url: 'http://127.0.0.1' },
  rules: [],
  linger,
});
const [a, b, c] = [domain('a'), domain('b'), domain('c', 60)];

test('what leaves waits for its linger', () => {
  const rows = lingerAfter({ before: [a, b, c], after: [a] }, [], 1_000);
  expect(rows).toEqual([
    { domain: b, until: 601_000 },
    { domain: c, until: 61_000 },
  ]);
});

test('what waits goes on waiting, and no longer than at first', () => {
  const rows = [{ domain: b, until: 5_000 }];
  expect(lingerAfter({ before: [a], after: [a] }, rows, 1_000)).toEqual(rows);
  expect(lingerAfter({ before: [a, b], after: [a] }, rows, 1_000)).toEqual(rows);
});

test('what is over goes, and what comes back waits no more', () => {
  const rows = [
    { domain: b, until: 1_000 },
    { domain: c, until: 5_000 },
  ];
  expect(lingerAfter({ before: [a], after: [a, c] }, rows, 1_000)).toEqual([]);
});

import { expect, test } from 'vitest';
import type { Condition } from '../../contract/kinds/conditions.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { ageText } from './age.ts';
import { detail } from './detail.ts';
import { tables } from './tables.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: `message of ${type}`,
  lastTransitionTime: '2026-11-22T11:55:00Z',
});

const domain: ResourceView<'CdnDomain'> = {
  kind: 'CdnDomain',
  metadata: { name: 'video', namespace: 'demo', creationTimestamp: '2026-11-22T09:00:00Z' },
  spec: { hostname: 'video.example.com' },
  status: { conditions: [condition('Ready', 'False', 'WaitingForNodes')] },
};
const node: ResourceView<'EdgeNode'> = {
  kind: 'EdgeNode',
  metadata: { name: 'zz-1', namespace: '', creationTimestamp: '2026-11-12T12:00:00Z' },
  spec: { region: 'cn-central', addresses: ['192.0.2.1', '2001:db8::1'], schedulable: false },
  status: {},
};
const job: ResourceView<'PurgeJob'> = {
  kind: 'PurgeJob',
  metadata: { name: 'release', namespace: 'demo', creationTimestamp: '2026-11-22T11:59:30Z' },
  spec: { domainRef: { name: 'video' } },
  status: {
    nodes: { targeted: 3, acked: 2, failed: 0 },
    awaited: [{ node: 'la-1', reason: 'NotConnected' }],
    objects: 0,
    conditions: [condition('Complete', 'False', 'InProgress'), condition('Ready', 'False', 'InProgress')],
  },
};

test('one kind: its printer columns, and the age', () => {
  expect(tables([domain], NOW)).toEqual([
    'NAMESPACE  NAME   HOSTNAME           CNAME   READY  REASON           AGE',
    'demo       video  video.example.com  <none>  False  WaitingForNodes  3h',
  ]);
});

test('several kinds: a table for each, with the kind before the name', () => {
  expect(tables([node, job, domain], NOW)).toEqual([
    'NAMESPACE  NAME             HOSTNAME           CNAME   READY  REASON           AGE',
    'demo       cdndomain/video  video.example.com  <none>  False  WaitingForNodes  3h',
    '',
    'NAME           REGION      ADDRESSES              SCHEDULABLE  READY   REASON  AGE',
    'edgenode/zz-1  cn-central  192.0.2.1,2001:db8::1  false        <none>  <none>  10d',
    '',
    'NAMESPACE  NAME              DOMAIN  TARGETED  ACKED  OBJECTS  COMPLETE  REASON      AGE',
    'demo       purgejob/release  video   3         2      0        False     InProgress  30s',
  ]);
});

test('one resource: conditions, and the nodes that a purge waits for', () => {
  expect(detail(job, NOW)).toEqual([
    'NAMESPACE  NAME     DOMAIN  TARGETED  ACKED  OBJECTS  COMPLETE  REASON      AGE',
    'demo       release  video   3         2      0        False     InProgress  30s',
    '',
    'CONDITION  STATUS  REASON      FOR  MESSAGE',
    'Complete   False   InProgress  5m   message of Complete',
    'Ready      False   InProgress  5m   message of Ready',
    '',
    'AWAITED NODE  REASON',
    'la-1          NotConnected',
  ]);
  expect(detail(node, NOW)).toHaveLength(2);
});

test.each([
  ['2026-11-22T12:00:05Z', '0s'],
  ['2026-11-22T11:58:01Z', '119s'],
  ['2026-11-22T11:58:00Z', '2m'],
  ['2026-11-22T10:00:01Z', '119m'],
  ['2026-11-22T10:00:00Z', '2h'],
  ['2026-11-20T12:00:00Z', '2d'],
  ['never', undefined],
])('the age of %s is %s', (since, age) => {
  expect(ageText(since, NOW)).toBe(age);
});

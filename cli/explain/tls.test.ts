import { expect, test } from 'vitest';
import type { Condition } from '../../contract/kinds/conditions.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { tlsLines } from './tls.ts';

const video = { namespace: 'demo', name: 'video' };
const view = (condition: Pick<Condition, 'status' | 'reason' | 'message'>): ResourceView => ({
  kind: 'CdnDomain',
  metadata: video,
  spec: {},
  status: {
    conditions: [{ type: 'CertificateReady', lastTransitionTime: '2026-11-22T04:00:00Z', ...condition }],
  },
});

test.each([
  [
    { status: 'True', reason: 'Issued', message: 'in force until 2027' },
    ['tls     ready: in force until 2027'],
  ],
  [{ status: 'False', reason: 'Expired', message: 'it ended' }, ['tls     Expired: it ended']],
  [{ status: 'True', reason: 'NoTls', message: 'served without TLS' }, []],
] as const)('%j', (condition, lines) => {
  expect(tlsLines(video, [view(condition)])).toEqual(lines);
  expect(tlsLines({ ...video, namespace: 'other' }, [view(condition)])).toEqual([]);
});

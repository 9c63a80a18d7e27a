import { expect, test } from 'vitest';
import { stateFolder } from './state-folder.ts';

const folder = stateFolder('/state');

test('each resource has a file of its own, by plural, namespace and name', () => {
  const video = { kind: 'CdnDomain', namespace: 'demo', name: 'video' } as const;
  expect(folder.acceptedFile(video)).toBe('/state/accepted/cdndomains/demo/video.yaml');
  expect(folder.statusFile(video)).toBe('/state/status/cdndomains/demo/video.yaml');
});

test('objects without a namespace lie where no namespace can', () => {
  expect(folder.statusFile({ kind: 'EdgeNode', namespace: '', name: 'zz-1' })).toBe(
    '/state/status/edgenodes/_cluster/zz-1.yaml',
  );
});

import { expect, test } from 'vitest';
import { weirConfig } from '../config/weir-config.ts';
import { allowedKeys } from './allowed-keys.ts';
import { KINDS } from './kinds.ts';
import { manifestSchema } from './metadata.ts';

const domain = manifestSchema(KINDS.CdnDomain);

test.each([
  [[], ['apiVersion', 'kind', 'metadata', 'spec', 'status']],
  [
    ['spec', 'origins', 0],
    ['name', 'url', 'hostHeader'],
  ],
  [
    ['spec', 'routing', 'nodes'],
    ['matchLabels', 'matchExpressions'],
  ],
  [
    ['spec', 'cache', 'rules', 3, 'query'],
    ['mode', 'names'],
  ],
])('a CdnDomain at %j knows %j', (path, keys) => {
  expect(allowedKeys(domain, path)).toEqual(keys);
});

test('weir.yaml too', () => {
  expect(allowedKeys(weirConfig, ['zones', 0, 'soa'])).toEqual(['contact', 'negativeTtl']);
});

test.each([[['spec', 'hostname']], [['spec', 'nowhere', 'at', 'all']], [['metadata', 'labels']]])(
  'nothing where no field is fixed: %j',
  (path) => {
    expect(allowedKeys(domain, path)).toBeUndefined();
  },
);

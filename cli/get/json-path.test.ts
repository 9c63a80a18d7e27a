import { expect, test } from 'vitest';
import type { KindDefinition } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { parsePath, valueAt } from './json-path.ts';

const object = {
  spec: { hostname: 'video.example.com', addresses: ['192.0.2.1', '2001:db8::1'] },
  status: {
    conditions: [
      { type: 'Accepted', status: 'True', reason: 'Accepted' },
      { type: 'Ready', status: 'False', reason: 'NoNodeConnected' },
    ],
    nodes: { acked: 0 },
  },
};

test.each([
  ['.spec.hostname', 'video.example.com'],
  ['.spec.addresses', ['192.0.2.1', '2001:db8::1']],
  ['.status.nodes.acked', 0],
  ['.status.conditions[?(@.type=="Ready")].reason', 'NoNodeConnected'],
  [".status.conditions[?(@.type=='Accepted')].status", 'True'],
  ['.status.conditions[?(@.type=="Complete")].status', undefined],
  ['.status.missing.deeper', undefined],
  ['.spec.hostname.deeper', undefined],
  ['.spec[?(@.type=="Ready")]', undefined],
  ['.constructor', undefined],
])('%s', (path, value) => {
  expect(valueAt(object, path)).toEqual(value);
});

test('every printer column of the kinds can be read', () => {
  const paths = Object.values<KindDefinition>(KINDS).flatMap(({ columns }) =>
    columns.map(({ jsonPath }) => jsonPath),
  );
  expect(paths.length).toBeGreaterThan(10);
  for (const path of paths) expect(parsePath(path).length).toBeGreaterThan(1);
});

test.each(['spec', '.spec[0]', '.spec..name', '.a[?(@.b>1)]'])('%s is refused, with the place', (path) => {
  expect(() => parsePath(path)).toThrow(/can not be read from character \d/);
});

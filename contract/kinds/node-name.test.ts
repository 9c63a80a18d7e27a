import { expect, test } from 'vitest';
import { edgeNodeName } from './node-name.ts';
import { dnsLabel } from './scalars.ts';

test.each([
  ['zz-1', 'zz-1'],
  ['ip-10-0-0-1.ec2.internal', 'ip-10-0-0-1-ec2-internal'],
])('%s is %s', (node, name) => {
  expect(edgeNodeName(node)).toBe(name);
});

test('a name that is too long is cut, and stays another than its neighbour’s', () => {
  const [one, two] = ['1', '2'].map((end) => edgeNodeName(`node-of-${'a'.repeat(60)}.example.${end}`));
  expect(one).not.toBe(two);
  expect(dnsLabel.safeParse(one).success).toBe(true);
});

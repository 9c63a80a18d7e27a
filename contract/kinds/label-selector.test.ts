import { expect, test } from 'vitest';
import { type LabelSelector, labelSelector, selects } from './label-selector.ts';

const labels = { site: 'new', pool: 'video', empty: '' };

/** As Kubernetes has it: a label that is missing is not in any list. */
test.each<[LabelSelector | undefined, boolean]>([
  [undefined, true],
  [{}, true],
  [{ matchLabels: {} }, true],
  [{ matchLabels: { site: 'new' } }, true],
  [{ matchLabels: { site: 'new', pool: 'video' } }, true],
  [{ matchLabels: { site: 'new', pool: 'web' } }, false],
  [{ matchLabels: { gpu: 'yes' } }, false],
  [{ matchLabels: { gpu: '' } }, false],
  [{ matchLabels: { empty: '' } }, true],
  [{ matchExpressions: [{ key: 'site', operator: 'In', values: ['old', 'new'] }] }, true],
  [{ matchExpressions: [{ key: 'site', operator: 'In', values: ['old'] }] }, false],
  [{ matchExpressions: [{ key: 'site', operator: 'In' }] }, false],
  [{ matchExpressions: [{ key: 'gpu', operator: 'In', values: [''] }] }, false],
  [{ matchExpressions: [{ key: 'site', operator: 'NotIn', values: ['old'] }] }, true],
  [{ matchExpressions: [{ key: 'site', operator: 'NotIn', values: ['new'] }] }, false],
  [{ matchExpressions: [{ key: 'gpu', operator: 'NotIn', values: ['yes'] }] }, true],
  [{ matchExpressions: [{ key: 'empty', operator: 'Exists' }] }, true],
  [{ matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }, false],
  [{ matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' }] }, true],
  [{ matchExpressions: [{ key: 'site', operator: 'DoesNotExist' }] }, false],
  [
    { matchLabels: { pool: 'video' }, matchExpressions: [{ key: 'site', operator: 'In', values: ['old'] }] },
    false,
  ],
])('%j selects: %s', (selector, selected) => {
  expect(selects(selector, labels)).toBe(selected);
});

test('a label named like a property of every object is not there by itself', () => {
  expect(selects({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, labels)).toBe(false);
});

test('64 labels are the most', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'x']));
  expect(labelSelector.safeParse({ matchLabels: many(64) }).success).toBe(true);
  expect(labelSelector.safeParse({ matchLabels: many(65) }).error?.issues).toMatchObject([
    { path: ['matchLabels'], message: 'at most 64 labels' },
  ]);
});

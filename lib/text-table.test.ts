import { expect, test } from 'vitest';
import { textTable } from './text-table.ts';

test('columns are as wide as their widest cell', () => {
  expect(
    textTable([
      ['NAME', 'REGION', 'READY'],
      ['zz-1', 'cn-central', 'True'],
      ['a-long-name', '', 'False'],
    ]),
  ).toEqual([
    'NAME         REGION      READY',
    'zz-1         cn-central  True',
    'a-long-name              False',
  ]);
});

test('nothing stays behind the last cell', () => {
  expect(textTable([['a', 'b'], ['c']])).toEqual(['a  b', 'c']);
  expect(textTable([])).toEqual([]);
});

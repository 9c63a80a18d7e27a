import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { staleFiles, writeFiles } from './files.ts';

const FOLDERS = ['crds', 'docs/reference'];
const files = new Map([
  ['crds/a.yaml', 'a\n'],
  ['docs/reference/a.md', '# a\n'],
]);

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-generate-'));
});
afterEach(() => rm(root, { recursive: true }));

test('names each file that is missing, differs or is superfluous', async () => {
  expect(await staleFiles(root, FOLDERS, files)).toEqual([
    'crds/a.yaml: missing',
    'docs/reference/a.md: missing',
  ]);
  await writeFiles(root, FOLDERS, files);
  expect(await staleFiles(root, FOLDERS, files)).toEqual([]);

  await writeFile(join(root, 'crds/a.yaml'), 'edited by hand');
  await writeFile(join(root, 'docs/reference/gone.md'), 'of a kind that is no more');
  expect(await staleFiles(root, FOLDERS, files)).toEqual([
    'crds/a.yaml: differs from what the schemas say',
    'docs/reference/gone.md: superfluous',
  ]);
});

test('writing makes all of them fresh', async () => {
  await writeFiles(root, FOLDERS, new Map([...files, ['crds/gone.yaml', 'old']]));
  await writeFiles(root, FOLDERS, files);
  expect(await staleFiles(root, FOLDERS, files)).toEqual([]);
  expect(await readFile(join(root, 'crds/a.yaml'), 'utf8')).toBe('a\n');
});

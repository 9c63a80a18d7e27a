/**
 * `npm run generate`: writes what is derived from the schemas in contract/, and `--check` says what is not fresh.
 *
 *     contract/kinds ──> crds/cdn.weir.dev_<plural>.yaml, docs/reference/<kind>.md
 *     contract/config ─> docs/reference/weir-yaml.md
 *     all of it, and scripts/generate/chart ─> helm/weir: values, their schema, README, CRDs, dashboard, alerts
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KindDefinition } from '../contract/kinds/kind.ts';
import { KINDS } from '../contract/kinds/kinds.ts';
import { CHART_CRDS, chartFiles } from './generate/chart/files.ts';
import { crdFile, crdFileName } from './generate/crd.ts';
import { staleFiles, writeFiles } from './generate/files.ts';
import { configReference, kindReference, referenceFileName } from './generate/reference.ts';

const ROOT = join(import.meta.dirname, '..');
/** Folders of which every file is generated: one that is not in the list below is superfluous. */
const FOLDERS = ['crds', 'docs/reference', CHART_CRDS];

/** The text of every generated file, by its path in the repository. */
async function generatedFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const kind of Object.values<KindDefinition>(KINDS)) {
    files.set(`crds/${crdFileName(kind)}`, crdFile(kind));
    files.set(`docs/reference/${referenceFileName(kind)}`, kindReference(kind, await exampleOf(kind.kind)));
  }
  files.set('docs/reference/weir-yaml.md', configReference(await exampleOf('weir')));
  const introduction = await readFile(join(ROOT, 'scripts/generate/chart/introduction.md'), 'utf8');
  return new Map([...files, ...chartFiles(introduction)]);
}

/** The examples are files of their own, so that a test can hold them against the schemas. */
function exampleOf(name: string): Promise<string> {
  return readFile(join(ROOT, 'contract/kinds/testdata', `example-${name.toLowerCase()}.yaml`), 'utf8');
}

const files = await generatedFiles();
if (process.argv.includes('--check')) {
  const problems = await staleFiles(ROOT, FOLDERS, files);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) console.error('run: npm run generate');
  process.exitCode = problems.length > 0 ? 1 : 0;
} else {
  await writeFiles(ROOT, FOLDERS, files);
  console.log(`${files.size} files written: ${FOLDERS.join(', ')}`);
}

/** The CRDs, held against the rules of an API server and against the schemas that they were made from. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type KindDefinition, type KindName, VERSION } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { badManifests, examples, goodManifests } from '../../contract/kinds/testdata.ts';
import { celFault, objectFaults } from './api-server.ts';
import { type Crd, crdFile, crdFileName, rootSchema } from './crd.ts';
import type { CelRule, JsonSchema } from './json-schema.ts';
import { structuralProblems } from './structural.ts';

const ROOT = join(import.meta.dirname, '../..');
const kinds = Object.values<KindDefinition>(KINDS);

test('generated files are fresh', () => {
  const check = spawnSync(process.execPath, ['scripts/generate.ts', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(check).toMatchObject({ status: 0, stderr: '' });
});

/** The schema of the file that is committed, not of what would be written now. */
function committed(kind: KindName): JsonSchema {
  const file = readFileSync(join(ROOT, 'crds', crdFileName(KINDS[kind])), 'utf8');
  const [version] = (parse(file, { version: '1.1' }) as Crd).spec.versions;
  if (version?.name !== VERSION) throw new Error(`${kind} has no version ${VERSION}`);
  return version.schema.openAPIV3Schema;
}

describe.each(kinds)('$kind', (kind) => {
  test('has a structural schema', () => {
    expect(structuralProblems(committed(kind.kind))).toEqual([]);
  });

  test('describes every field', () => {
    const { spec, status } = committed(kind.kind).properties ?? {};
    expect([...undescribed(spec, 'spec'), ...undescribed(status, 'status')]).toEqual([]);
  });

  test('has columns that lead to fields', () => {
    const lost = kind.columns.filter(({ jsonPath }) => !leadsToField(committed(kind.kind), jsonPath));
    expect(lost).toEqual([]);
  });

  test('has CEL rules that compile', () => {
    const faults = rulesOf(committed(kind.kind)).map((rule) => [rule.rule, celFault(rule)]);
    expect(faults.filter(([, fault]) => fault !== undefined)).toEqual([]);
    expect(faults).not.toEqual([]);
  });

  test('has rules that each refuse something in the table of bad manifests', () => {
    const said = badManifests
      .filter((row) => row.kind === kind.kind)
      .flatMap(({ manifest }) => objectFaults(committed(kind.kind), manifest));
    const silent = rulesOf(committed(kind.kind))
      .filter(({ rule }) => !rule.includes('oldSelf') && !rule.includes('metadata.name'))
      .filter(({ message }) => !said.some((line) => line.endsWith(message)));
    expect(silent).toEqual([]);
  });
});

describe('an API server and the folder agree', () => {
  test.each([...goodManifests, ...examples])('to accept $name', ({ kind, manifest }) => {
    expect(objectFaults(committed(kind), manifest)).toEqual([]);
  });

  test.each(badManifests.filter(({ folderOnly }) => !folderOnly))('to refuse $name', ({ kind, manifest }) => {
    expect(objectFaults(committed(kind), manifest)).not.toEqual([]);
  });

  test.each(badManifests.filter(({ folderOnly }) => folderOnly))('not on $name', ({ kind, manifest }) => {
    expect(objectFaults(committed(kind), manifest)).toEqual([]);
  });
});

describe('a PurgeJob', () => {
  const job = (spec: object) => ({
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'PurgeJob',
    metadata: { name: 'release-42' },
    spec: { domainRef: { name: 'video' }, everything: true, ...spec },
  });

  test('may be applied again as it is, with defaults written out or not', () => {
    expect(objectFaults(committed('PurgeJob'), job({ action: 'Purge' }), job({}))).toEqual([]);
  });

  test('may not change', () => {
    expect(objectFaults(committed('PurgeJob'), job({ activeDeadlineSeconds: 7 }), job({}))).toEqual([
      '.spec: the spec cannot be changed; make a new object',
    ]);
  });
});

describe('what no API server would take is not written', () => {
  const spoilt = (field: JsonSchema): JsonSchema => ({
    ...rootSchema(KINDS.EdgeNode),
    properties: { spec: { type: 'object', properties: { field } } },
  });

  test.each<[string, JsonSchema, string]>([
    ['no type', {}, 'type is undefined'],
    [
      'closed',
      { type: 'object', additionalProperties: false, maxProperties: 1 },
      'additionalProperties is a boolean',
    ],
    [
      'both fields and a map',
      { type: 'object', properties: {}, additionalProperties: { type: 'boolean' }, maxProperties: 1 },
      'additionalProperties beside properties',
    ],
    ['a union', { type: 'string', maxLength: 1, anyOf: [] } as JsonSchema, 'has anyOf'],
    ['no maximum', { type: 'string' }, 'a string without maxLength'],
    ['a list without a maximum', { type: 'array', items: { type: 'boolean' } }, 'a list without maxItems'],
    ['a look-ahead', { type: 'string', maxLength: 1, pattern: '^(?!x)' }, 'pattern is not RE2'],
    ['a default that is not valid', { type: 'integer', minimum: 1, default: 0 }, '0 is below 1'],
    [
      'a default of a field that is not there',
      { type: 'object', properties: {}, default: { a: 1 } },
      '.a: unknown',
    ],
    ['required and not there', { type: 'object', required: ['a'], properties: {} }, 'does not have: a'],
    [
      'a list-map whose key may be missing',
      {
        type: 'array',
        maxItems: 1,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: { type: 'object', properties: { name: { type: 'string', maxLength: 1 } } },
      },
      'list-map keys must be required scalars: name',
    ],
  ])('%s', (_name, field, fault) => {
    expect(structuralProblems(spoilt(field))).toEqual([
      expect.stringMatching(new RegExp(`^\\.spec\\.field: .*${fault.replaceAll('.', '\\.')}`)),
    ]);
  });

  test('the generator stops, and says where', () => {
    const spec = z.strictObject({ note: z.string() });
    expect(() => crdFile({ ...KINDS.EdgeNode, spec })).toThrow('.spec.note: a string without maxLength');
  });
});

function undescribed(schema: JsonSchema | undefined, path: string): string[] {
  const object = schema?.items ?? schema;
  return Object.entries(object?.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [] : [`${path}.${name}`]),
    ...undescribed(field, `${path}.${name}`),
  ]);
}

function rulesOf(schema: JsonSchema): CelRule[] {
  const below = [...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : [])];
  return [...(schema['x-kubernetes-validations'] ?? []), ...below.flatMap(rulesOf)];
}

/** `.a.b` and `.list[?(@.key=="x")].c`: every step is a field of the schema. */
function leadsToField(root: JsonSchema, jsonPath: string): boolean {
  const steps = jsonPath
    .replace(/\[\?\(@\.(\w+)=="\w+"\)\]/g, '.[].')
    .replaceAll('..', '.')
    .split('.')
    .slice(1);
  let at: JsonSchema | undefined = root;
  for (const step of steps) at = step === '[]' ? at?.items : at?.properties?.[step];
  return at !== undefined;
}

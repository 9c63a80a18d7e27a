/** The files of the chart that are made and not written: values in three forms, the CRDs, dashboard and alerts. Pure. */
import { stringify } from 'yaml';
import { z } from 'zod';
import type { KindDefinition } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import { crdFile, crdFileName } from '../crd.ts';
import { type JsonSchema, jsonSchema, withDefaults } from '../json-schema.ts';
import { page, sections } from '../reference.ts';
import { alertRules } from './alerts.ts';
import { dashboard } from './dashboard.ts';
import { chartValues } from './values.ts';

export const CHART = 'helm/weir';
/** The chart makes templates of them, so that they are upgraded, which Helm's own folder of CRDs never is. */
export const CHART_CRDS = `${CHART}/files/crds`;

export function chartFiles(introduction: string): Map<string, string> {
  const schema = jsonSchema(chartValues);
  const crds = Object.values<KindDefinition>(KINDS).map(
    (kind) => [`${CHART_CRDS}/${crdFileName(kind)}`, crdFile(kind)] as const,
  );
  return new Map([
    ...crds,
    [`${CHART}/values.yaml`, valuesYaml(schema)],
    [`${CHART}/values.schema.json`, valuesSchema()],
    [`${CHART}/README.md`, readme(introduction, schema)],
    [`${CHART}/files/dashboard.json`, `${JSON.stringify(dashboard(), undefined, 2)}\n`],
    [`${CHART}/files/alerts.yaml`, stringify(alertRules(), { lineWidth: 0 })],
  ]);
}

function valuesSchema(): string {
  const schema = z.toJSONSchema(chartValues, {
    target: 'draft-7',
    io: 'input',
    // Helm's validator knows none of these words.
    override({ jsonSchema: node }) {
      for (const key of Object.keys(node)) if (key.startsWith('x-')) Reflect.deleteProperty(node, key);
    },
  });
  // Helm hands a chart that is part of another one the other's global values.
  const properties = { ...schema.properties, global: { type: 'object' } };
  return `${JSON.stringify({ ...schema, properties }, undefined, 2)}\n`;
}

const HEAD = '# Generated from scripts/generate/chart/values.ts by `npm run generate`. Do not edit.\n';
const WIDTH = 112;

function valuesYaml(schema: JsonSchema): string {
  return HEAD + fields(schema, withDefaults(schema, {}), 0).join('\n').concat('\n');
}

function fields({ properties = {} }: JsonSchema, defaults: unknown, depth: number): string[] {
  const indent = '  '.repeat(depth);
  return Object.entries(properties).flatMap(([name, field]) => {
    // weir.yaml has a reference page of its own, which tells its defaults.
    const isTree = field.properties !== undefined && name !== 'config';
    const value = name === 'config' ? field.default : Reflect.get(Object(defaults), name);
    const comment = wrapped(field.description ?? '', WIDTH - indent.length).map(
      (line) => `${indent}# ${line}`,
    );
    const gap = depth === 0 ? [''] : [];
    if (isTree) return [...gap, ...comment, `${indent}${name}:`, ...fields(field, value, depth + 1)];
    const text = stringify({ [name]: value }, { lineWidth: 0 }).trimEnd();
    return [...gap, ...comment, ...text.split('\n').map((line) => indent + line)];
  });
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function readme(introduction: string, schema: JsonSchema): string {
  const { config, ...properties } = schema.properties ?? {};
  const plainConfig = { type: 'object' as const, description: config?.description ?? '' };
  return page([
    '<!-- Generated from scripts/generate/chart by `npm run generate`. Do not edit. -->\n',
    introduction.trimEnd(),
    ...sections('Values', { ...schema, properties: { ...properties, config: plainConfig } }),
  ]);
}

/** The reference pages: one heading for each object of a schema, one table row for each field. Pure. */

import { weirConfig } from '../../contract/config/weir-config.ts';
import { CONDITION_MEANINGS } from '../../contract/kinds/conditions.ts';
import { API_VERSION, GROUP, type KindDefinition } from '../../contract/kinds/kind.ts';
import { specSchema } from './crd.ts';
import { filledDefault, type JsonSchema, jsonSchema } from './json-schema.ts';
import { typeInWords } from './type-in-words.ts';

export const referenceFileName = ({ kind }: KindDefinition) => `${kind.toLowerCase()}.md`;

const CONFIG_FILE = 'weir.yaml';

const head = (source: string) => `<!-- Generated from ${source} by \`npm run generate\`. Do not edit. -->\n`;

export function kindReference(kind: KindDefinition, example: string): string {
  return page([
    head('contract/kinds'),
    `# ${kind.kind}`,
    kind.description,
    identity(kind),
    NAMES[kind.scope],
    '## Example',
    'The least that is valid; all other fields may be left out.',
    yaml(example),
    ...sections('spec', specSchema(kind)),
    ...sections('status', jsonSchema(kind.status)),
    '## Conditions',
    'Rows of `status.conditions`. All of them are there from the first visit on.',
    table(
      ['Type', 'True means'],
      kind.conditionTypes.map((type) => [code(type), CONDITION_MEANINGS[type] ?? '']),
    ),
    '## Columns',
    'What `kubectl get` and `weir get` print, beside name and age.',
    table(
      ['Column', 'From', 'Meaning'],
      kind.columns.map(({ name, jsonPath, description }) => [name, code(jsonPath), description]),
    ),
  ]);
}

export function configReference(example: string): string {
  const schema = jsonSchema(weirConfig);
  return page([
    head('contract/config/weir-config.ts'),
    `# ${CONFIG_FILE}`,
    schema.description ?? '',
    '## Example',
    yaml(example),
    ...sections(CONFIG_FILE, schema),
  ]);
}

const NAMES = {
  Namespaced:
    '`metadata.name` is a DNS label: a-z, 0-9 and -, at most 63 characters. `metadata.namespace` is `default` where ' +
    'none is given; it cannot be `node`, since the names of nodes are there in DNS.',
  Cluster:
    '`metadata.name` is a DNS label: a-z, 0-9 and -, at most 63 characters. It belongs to no namespace.',
};

function identity({ scope, plural, singular, shortNames }: KindDefinition): string {
  const names = [plural, singular, ...shortNames].map(code).join(', ');
  return table(
    ['apiVersion', 'Scope', 'Names for kubectl', 'CRD'],
    [[code(API_VERSION), scope, names, code(`${plural}.${GROUP}`)]],
  );
}

/** An object's own section, then those of the objects in it. */
export function sections(path: string, schema: JsonSchema): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const required = new Set(schema.required);
  return [
    `## ${path}`,
    table(
      ['Field', 'Type', 'Default', 'Meaning'],
      fields.map(([name, field]) => [
        code(name),
        linked(typeInWords(field), below(path, name, field)),
        required.has(name) ? '**required**' : defaultInWords(field),
        field.description ?? '',
      ]),
    ),
    ...rules(schema),
    ...fields.flatMap(([name, field]) => {
      const object = field.items?.properties ? field.items : field;
      return object.properties ? sections(below(path, name, field), object) : [];
    }),
  ];
}

/** The heading of a field's own section; the fields of weir.yaml are at the top of their file. */
function below(path: string, name: string, field: JsonSchema): string {
  return `${path === CONFIG_FILE ? '' : `${path}.`}${name}${field.items ? '[]' : ''}`;
}

/** `object` leads to its section; GitHub makes anchors of headings in lower case without punctuation. */
function linked(type: string, heading: string): string {
  const anchor = heading.toLowerCase().replace(/[^a-z0-9-]/g, '');
  return type.replace(/\bobjects?\b/, (word) => `[${word}](#${anchor})`);
}

function rules(schema: JsonSchema): string[] {
  const lines = (schema['x-kubernetes-validations'] ?? []).map(({ message, fieldPath }) =>
    fieldPath === undefined ? `- ${message}` : `- \`${fieldPath.slice(1)}\`: ${message}`,
  );
  return lines.length > 0 ? ['Rules:', lines.join('\n')] : [];
}

/** Objects show their defaults field by field, in their own section. */
function defaultInWords(field: JsonSchema): string {
  const value = filledDefault(field);
  if (value === undefined || field.properties) return '';
  if (!Array.isArray(value)) return code(typeof value === 'string' ? value : JSON.stringify(value));
  return value.length === 0 ? 'none' : code(value.join(', '));
}

function table(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string) => `\`${text}\``;
const yaml = (text: string) => `\`\`\`yaml\n${text.trimEnd()}\n\`\`\``;
export const page = (blocks: string[]) =>
  `${blocks
    .filter((block) => block !== '')
    .join('\n\n')
    .replace('-->\n\n\n', '-->\n\n')}\n`;

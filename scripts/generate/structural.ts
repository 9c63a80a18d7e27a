/**
 * What an API server refuses in a CRD's schema, as far as it can be told without one. Pure.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
import { type JsonSchema, withDefaults } from './json-schema.ts';
import { schemaFaults } from './schema-faults.ts';

/** All that our CRDs may use. Leaves out what is forbidden (`$ref`, `additionalProperties` beside `properties`…). */
const KEYWORDS = new Set(
  [
    'type description default enum format pattern minLength maxLength minimum maximum minItems maxItems',
    'minProperties maxProperties properties required items additionalProperties',
    'x-kubernetes-list-type x-kubernetes-list-map-keys x-kubernetes-validations',
  ].flatMap((line) => line.split(' ')),
);
const TYPES = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);
const SCALARS = new Set(['string', 'integer', 'number', 'boolean']);

/** Go's RE2 knows no lookaround and no back-reference. */
const NOT_RE2 = /\(\?[=!<]|\\[1-9]/;

type Check = (schema: JsonSchema) => string | undefined | false;

/** Each gives what is wrong with one node, or nothing. */
const CHECKS: Check[] = [
  ({ type }) => (type === undefined || !TYPES.has(type)) && `type is ${String(type)}`,
  (schema) => {
    const unknown = Object.keys(schema).filter((key) => !KEYWORDS.has(key));
    return unknown.length > 0 && `has ${unknown.join(', ')}`;
  },
  ({ additionalProperties, properties }) =>
    additionalProperties !== undefined &&
    properties !== undefined &&
    'additionalProperties beside properties',
  ({ additionalProperties }) =>
    typeof additionalProperties === 'boolean' && 'additionalProperties is a boolean',
  ({ type, items }) => (type === 'array') !== (items !== undefined) && 'arrays, and only they, have items',
  ({ pattern = '' }) => NOT_RE2.test(pattern) && `pattern is not RE2: ${pattern}`,
  ({ required = [], properties = {} }) => {
    const missing = required.filter((name) => !(name in properties));
    return missing.length > 0 && `requires what it does not have: ${missing.join(', ')}`;
  },
  listKeys,
  unbounded,
  (schema) => {
    if (schema.default === undefined) return undefined;
    const faults = schemaFaults(schema, withDefaults(schema, schema.default));
    return faults.length > 0 && `default is not valid: ${faults.join('; ')}`;
  },
];

/** Keys of a list-map are scalars that each item has. */
function listKeys({ items, ...schema }: JsonSchema): string | false {
  const kind = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (kind === 'set') return !SCALARS.has(items?.type ?? '') && 'a set of other things than scalars';
  if (kind !== 'map') return keys.length > 0 && 'list-map-keys without list-type map';
  const bad = keys.filter((key) => {
    const field = items?.properties?.[key];
    const there = items?.required?.includes(key) || field?.default !== undefined;
    return !SCALARS.has(field?.type ?? '') || !there;
  });
  return (keys.length === 0 || bad.length > 0) && `list-map keys must be required scalars: ${bad.join(', ')}`;
}

/** The API server reckons what a CEL rule may cost by these maxima; without one it takes 3 MB of items. */
function unbounded(schema: JsonSchema): string | undefined {
  const { type, enum: values, format, maxLength, maxItems, maxProperties, additionalProperties } = schema;
  if (type === 'array' && maxItems === undefined) return 'a list without maxItems';
  if (additionalProperties && maxProperties === undefined) return 'a map without maxProperties';
  const open = values === undefined && format === undefined && maxLength === undefined;
  return type === 'string' && open ? 'a string without maxLength' : undefined;
}

/** One line for each fault, with its path; none for a schema that an API server takes. */
export function structuralProblems(root: JsonSchema): string[] {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...ours } = root.properties ?? {};
  return [
    ...Object.entries(ours).flatMap(([name, field]) => problemsBelow(field, `.${name}`)),
    ...CHECKS.flatMap((check) => check({ ...root, properties: ours, required: [] }) || []),
  ];
}

function problemsBelow(schema: JsonSchema, path: string): string[] {
  const { properties = {}, items, additionalProperties } = schema;
  return [
    ...CHECKS.flatMap((check) => check(schema) || []).map((fault) => `${path}: ${fault}`),
    ...Object.entries(properties).flatMap(([name, field]) => problemsBelow(field, `${path}.${name}`)),
    ...(items ? problemsBelow(items, `${path}[]`) : []),
    ...(typeof additionalProperties === 'object' ? problemsBelow(additionalProperties, `${path}{}`) : []),
  ];
}

/** Holds a value against a schema, as an API server does with strict field validation; without the CEL rules. Pure. */
import { isRecord, type JsonSchema } from './json-schema.ts';

/** One line for each fault: path, then what is wrong. */
export function schemaFaults(schema: JsonSchema, value: unknown, path = ''): string[] {
  if (!hasType(schema, value)) return [`${path}: not of type ${String(schema.type)}`];
  const own = ownFaults(schema, value).map((fault) => `${path}: ${fault}`);
  if (Array.isArray(value)) return [...own, ...listFaults(schema, value, path)];
  return isRecord(value) ? [...own, ...fieldFaults(schema, value, path)] : own;
}

function hasType({ type }: JsonSchema, value: unknown): boolean {
  if (type === 'object') return isRecord(value);
  if (type === 'array') return Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

function ownFaults(schema: JsonSchema, value: unknown): string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, maxProperties } = schema;
  const { pattern, enum: values } = schema;
  const size = isRecord(value) ? Object.keys(value).length : undefined;
  return [
    ...(values && !values.includes(value) ? [`not one of ${values.join(', ')}`] : []),
    ...(typeof value === 'number' ? range(value, minimum, maximum) : []),
    // Kubernetes counts characters, not UTF-16 units.
    ...(typeof value === 'string' ? range(Array.from(value).length, minLength, maxLength) : []),
    ...(typeof value === 'string' && pattern && !new RegExp(pattern).test(value) ? [`not ${pattern}`] : []),
    ...(Array.isArray(value) ? range(value.length, minItems, maxItems) : []),
    ...(size !== undefined ? range(size, undefined, maxProperties) : []),
  ];
}

function range(size: number, least = -Infinity, most = Infinity): string[] {
  return size < least ? [`${size} is below ${least}`] : size > most ? [`${size} is above ${most}`] : [];
}

function listFaults(schema: JsonSchema, list: unknown[], path: string): string[] {
  const { items } = schema;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const identity = list.map((item) =>
    JSON.stringify(isRecord(item) && keys.length > 0 ? keys.map((key) => item[key]) : item),
  );
  const unique = ['set', 'map'].includes(schema['x-kubernetes-list-type'] ?? 'atomic');
  const twice = unique && new Set(identity).size < list.length;
  return [
    ...(twice ? [`${path}: a value stands twice`] : []),
    ...(items ? list.flatMap((item, index) => schemaFaults(items, item, `${path}[${index}]`)) : []),
  ];
}

function fieldFaults(schema: JsonSchema, value: Record<string, unknown>, path: string): string[] {
  const { properties = {}, additionalProperties, required = [] } = schema;
  const missing = required.filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${path}.${name}: required`),
    ...Object.entries(value).flatMap(([name, field]) => {
      const known = properties[name] ?? additionalProperties;
      if (typeof known === 'object') return schemaFaults(known, field, `${path}.${name}`);
      return [`${path}.${name}: unknown field`];
    }),
  ];
}

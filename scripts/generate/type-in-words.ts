/** A field's type and limits as people say them: `list of objects, 1 to 8 items`, `integer, 1 to 65535`. Pure. */
import type { JsonSchema } from './json-schema.ts';

export function typeInWords(schema: JsonSchema): string {
  const { type, items, additionalProperties, enum: values } = schema;
  if (values?.length === 1) return `\`${String(values[0])}\``;
  if (values) return `one of ${values.map((value) => `\`${String(value)}\``).join(', ')}`;
  if (type === 'array' && items) return listInWords(schema, items);
  if (typeof additionalProperties === 'object')
    return `map of strings${limits(0, schema.maxProperties, 'label')}`;
  if (type === 'integer') return `integer${limits(schema.minimum, schema.maximum)}`;
  return type === 'string' ? stringInWords(schema) : String(type);
}

function listInWords(schema: JsonSchema, items: JsonSchema): string {
  const kind = schema['x-kubernetes-list-type'] === 'set' ? 'set' : 'list';
  const size = limits(schema.minItems, schema.maxItems, 'item');
  return items.properties ? `${kind} of objects${size}` : `${kind}${size}; each: ${typeInWords(items)}`;
}

/** The words for its shape and those of its rules, or how long it may be. */
function stringInWords(schema: JsonSchema): string {
  const rules = (schema['x-kubernetes-validations'] ?? []).map(({ message }) => message);
  const words = [schema['x-words'], ...rules].filter((word) => word !== undefined);
  if (words.length > 0) return words.join('; ');
  return `string${limits(schema.minLength, schema.maxLength, 'character')}`;
}

/** A counter's maximum only keeps it exact in every language: no news to a reader. */
const COUNTER_MAX = 2 ** 52;

function limits(least = 0, most = Infinity, unit = ''): string {
  const of = (count: number) => (unit === '' ? `${count}` : `${count} ${unit}${count === 1 ? '' : 's'}`);
  if (least === most) return `, exactly ${of(least)}`;
  if (most < COUNTER_MAX)
    return unit !== '' && least <= 0 ? `, at most ${of(most)}` : `, ${least} to ${of(most)}`;
  return least > 0 ? `, at least ${of(least)}` : '';
}

import { describe, expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { type JsonSchema, jsonSchema } from './json-schema.ts';
import { configReference, kindReference } from './reference.ts';
import { typeInWords } from './type-in-words.ts';

describe('a page', () => {
  const page = kindReference(KINDS.CdnDomain, 'kind: CdnDomain\n');

  test.each([
    ['the example', '```yaml\nkind: CdnDomain\n```'],
    [
      'a required field',
      '| `hostname` | a host name in lower case, such as video.example.com | **required** |',
    ],
    ['a default', '| `answers` | integer, 1 to 8 | `2` |'],
    ['an object with a link to its section', '| `routing` | [object](#specrouting) |'],
    ['the section of a list’s items', '## spec.origins[]'],
    ['a rule with its field', '- `aliases`: a name stands once in hostname and aliases'],
    ['conditions', '| `Programmed` | Every connected node'],
    ['columns', '| CNAME | `.status.cname` |'],
  ])('has %s', (_what, text) => {
    expect(page).toContain(text);
  });

  test('has a heading for every link', () => {
    for (const text of [page, configReference('')]) {
      const anchors = [...text.matchAll(/^## (.*)$/gm)].map(([, heading = '']) =>
        heading.toLowerCase().replace(/[^a-z0-9-]/g, ''),
      );
      const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = '']) => anchor);
      expect(links).not.toEqual([]);
      expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
    }
  });
});

test('weir.yaml describes every field', () => {
  expect(undescribed(jsonSchema(weirConfig), 'weir.yaml')).toEqual([]);
});

function undescribed(schema: JsonSchema, path: string): string[] {
  return Object.entries((schema.items ?? schema).properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [] : [`${path}.${name}`]),
    ...undescribed(field, `${path}.${name}`),
  ]);
}

test.each<[JsonSchema, string]>([
  [{ type: 'boolean' }, 'boolean'],
  [{ type: 'boolean', enum: [true] }, '`true`'],
  [{ type: 'string', enum: ['A', 'B'] }, 'one of `A`, `B`'],
  [{ type: 'integer', minimum: 1, maximum: 8 }, 'integer, 1 to 8'],
  [{ type: 'integer', minimum: 0, maximum: 2 ** 52 }, 'integer'],
  [{ type: 'integer', minimum: 0, maximum: 9 }, 'integer, 0 to 9'],
  [{ type: 'string', maxLength: 63 }, 'string, at most 63 characters'],
  [{ type: 'string', minLength: 1 }, 'string, at least 1 character'],
  [{ type: 'string', 'x-words': 'a size' }, 'a size'],
  [{ type: 'array', maxItems: 3, items: { type: 'boolean' } }, 'list, at most 3 items; each: boolean'],
  [
    { type: 'array', minItems: 1, maxItems: 1, items: { type: 'object', properties: {} } },
    'list of objects, exactly 1 item',
  ],
  [
    { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string', 'x-words': 'a size' } },
    'set; each: a size',
  ],
  [
    { type: 'object', maxProperties: 64, additionalProperties: { type: 'string' } },
    'map of strings, at most 64 labels',
  ],
])('%j reads: %s', (schema, words) => {
  expect(typeInWords(schema)).toBe(words);
});

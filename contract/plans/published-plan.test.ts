/** The digest of a plan: what it depends on, and what not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planDigest } from './published-plan.ts';

const SEED = 20_261_122;
const plan = fc.dictionary(
  fc.constantFrom('domains', 'nodes', 'zones', 'defaultRegion'),
  fc.oneof(
    fc.string(),
    fc.array(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())), { maxLength: 4 }),
  ),
  { noNullPrototype: true },
);

/** The same value with its keys in the opposite order, at every depth. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, reversed(field)]),
  );
}

test('the order of keys does not matter', () => {
  fc.assert(
    fc.property(plan, (value) => {
      expect(planDigest(reversed(value) as object)).toBe(planDigest(value));
    }),
    { seed: SEED },
  );
});

test('two plans that differ have different digests', () => {
  fc.assert(
    fc.property(plan, plan, (one, other) => {
      const equal = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
      expect(planDigest(one) === planDigest(other)).toBe(equal);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test.each<[string, object, object]>([
  ['a value', { domains: [{ a: 1 }] }, { domains: [{ a: 2 }] }],
  ['the order of a list', { domains: [{ a: 1 }, { b: 1 }] }, { domains: [{ b: 1 }, { a: 1 }] }],
  ['the place of a row', { domains: [{ a: 1 }], nodes: [] }, { domains: [], nodes: [{ a: 1 }] }],
  ['a row that stands twice', { domains: [{ a: 1 }] }, { domains: [{ a: 1 }, { a: 1 }] }],
  ['a text that looks like two lines', { a: 'x\nb "y"' }, { a: 'x', b: 'y' }],
])('%s matters', (_what, one, other) => {
  expect(planDigest(one)).not.toBe(planDigest(other));
});

/** An empty list gives no line, and is no content: each section of a plan is always there. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([, field]) => !Array.isArray(field) || field.length > 0);
  return fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, sorted(field)]);
}

import { expect, test } from 'vitest';
import { formatPath, formatProblem, shownValue } from './problem.ts';

test.each([
  [[], ''],
  [['spec', 'origins', 0, 'url'], 'spec.origins[0].url'],
  [['zones', 1], 'zones[1]'],
])('%j is %j', (path, text) => {
  expect(formatPath(path)).toBe(text);
});

test('a problem is one line: place, object, path, value, what is allowed', () => {
  expect(
    formatProblem({
      file: 'demo/video.yaml',
      line: 7,
      ref: { kind: 'CdnDomain', namespace: 'demo', name: 'video' },
      path: 'spec.routing.answers',
      value: '9',
      reason: 'Invalid',
      message: 'at most 8',
    }),
  ).toBe('demo/video.yaml:7: CdnDomain demo/video: spec.routing.answers: 9: at most 8');
  expect(
    formatProblem({ file: 'x.yaml', line: 1, path: '', reason: 'SyntaxError', message: 'no YAML' }),
  ).toBe('x.yaml:1: no YAML');
});

test('a value is shown as short JSON', () => {
  const document = { a: [{ b: 'x'.repeat(200) }, null, false] };
  expect(shownValue(document, ['a', 1])).toBe('null');
  expect(shownValue(document, ['a', 2])).toBe('false');
  expect(shownValue(document, ['a', 0, 'b'])).toBe(`"${'x'.repeat(79)}…`);
  expect(shownValue(document, ['a', 9, 'b'])).toBeUndefined();
});

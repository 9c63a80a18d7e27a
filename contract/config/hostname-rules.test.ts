import { expect, test } from 'vitest';
import { hostnameRules, mayClaim } from './hostname-rules.ts';

const rules = hostnameRules.parse([
  { namespaces: ['demo', 'shop'], allow: ['*.example.com', 'example.com'] },
  { namespaces: ['shop'], allow: ['www.shop.example'] },
  { namespaces: ['*'], allow: ['*.free.example'] },
]);

test.each([
  ['demo', 'video.example.com', true],
  ['demo', 'a.b.example.com', true],
  ['demo', 'example.com', true],
  ['demo', 'badexample.com', false],
  ['demo', 'www.shop.example', false],
  ['shop', 'www.shop.example', true],
  ['shop', 'x.www.shop.example', false],
  ['other', 'x.free.example', true],
  ['other', 'free.example', false],
  ['other', 'video.example.com', false],
])('%s may claim %s: %s', (namespace, hostname, expected) => {
  expect(mayClaim(rules, namespace, hostname)).toBe(expected);
});

test('without rules anyone may claim any; an empty list allows nothing', () => {
  expect(mayClaim(undefined, 'demo', 'video.example.com')).toBe(true);
  expect(mayClaim([], 'demo', 'video.example.com')).toBe(false);
});

test.each(['Example.com', '*example.com', 'a.*.example.com', 'example', '.example.com'])(
  '%s is no pattern',
  (pattern) => {
    expect(hostnameRules.safeParse([{ namespaces: ['demo'], allow: [pattern] }]).success).toBe(false);
  },
);

import { expect, test } from 'vitest';
import { edgeSettings } from './edge-settings.ts';

test('unknown settings are refused by name, and all problems are told at once', () => {
  const { error } = edgeSettings.safeParse({ limits: { headerCount: 0, headers: 1 } });
  expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['limits.headerCount', expect.stringMatching(/>=1/)],
    ['limits', expect.stringMatching(/"headers"/)],
  ]);
});

import { expect, test } from 'vitest';
import { accessLog } from './access-log.ts';
import { edgeSettings } from './edge-settings.ts';

test('unknown settings are refused by name, and all problems are told at once', () => {
  const { error } = edgeSettings.safeParse({ limits: { headerCount: 0, headers: 1 } });
  expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['limits.headerCount', expect.stringMatching(/>=1/)],
    ['limits', expect.stringMatching(/"headers"/)],
  ]);
});

test('a field that there is not is refused, with those that there are', () => {
  const { error } = accessLog.safeParse({ format: '{client} {uri}', files: 'x' });
  expect(error?.issues.map(({ message }) => message).join('\n')).toMatch(/one of time, node, [\s\S]*"files"/);
});

/** Secrets as they come: what is wrong is told without its value. */
import { expect, test } from 'vitest';
import { newZoneKey } from '../../contract/dns/zone-keys.ts';
import { readSecrets } from './read-secrets.ts';

const keys = (zone: string) => ({ zone, keys: [newZoneKey(0, true)] });

test('keys of zones and the cookies’ secret', () => {
  const zones = [keys('cdn.example.net'), keys('other.example')];
  const values = new Map([
    ['cookie-secret', `${'ab'.repeat(16)}\n`],
    ...zones.map((row) => [`${row.zone}.keys.json`, JSON.stringify(row)] as const),
  ]);
  expect(readSecrets(values)).toEqual({ zones, cookie: Buffer.alloc(16, 0xab) });
  expect(readSecrets(new Map())).toEqual({ zones: [], cookie: undefined });
});

test.each([
  [
    'no key',
    JSON.stringify({ zone: 'cdn.example.net', keys: [{ privateKey: 'SECRET' }] }),
    'keys.0.privateKey',
  ],
  ['no JSON', '"SECRET', 'cdn.example.net.keys.json'],
])('%s is told without what stands there', (_, text, place) => {
  const read = () => readSecrets(new Map([['cdn.example.net.keys.json', text]]));
  expect(read).toThrow(place);
  expect(read).not.toThrow('SECRET');
});

test('a cookie secret of another length is refused', () => {
  expect(() => readSecrets(new Map([['cookie-secret', 'abcd']]))).toThrow('16 bytes in hex');
});

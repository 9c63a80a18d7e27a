import { expect, test } from 'vitest';
import { readOptions } from './options.ts';

const read = (...args: string[]) =>
  readOptions([
    'node',
    'main.ts',
    '--name=dns-1',
    '--operator=https://127.0.0.1:8700',
    '--join-token-file=token',
    '--state=state',
    ...args,
  ]);

test('has a default for each place', () => {
  expect(read()).toEqual({
    name: 'dns-1',
    operator: 'https://127.0.0.1:8700',
    joinTokenFile: 'token',
    state: 'state',
    listen: [{ host: '127.0.0.1', port: 5_300 }],
    batch: 'auto',
    admin: { host: '127.0.0.1', port: 8_702 },
  });
});

test('takes the URLs of several replicas', () => {
  expect(read('--operator=https://127.0.0.1:8700/, https://operator.example').operator).toBe(
    'https://127.0.0.1:8700,https://operator.example',
  );
});

test('takes options that are repeated, and replaces the default by them', () => {
  const { listen, geoDatabase, geoAsn } = read(
    ...'--listen 127.0.0.1:53 --listen [::1]:53'.split(' '),
    ...'--geo-database a.mmdb --geo-database b.mmdb --geo-asn c.csv'.split(' '),
  );
  expect(listen).toEqual([
    { host: '127.0.0.1', port: 53 },
    { host: '::1', port: 53 },
  ]);
  expect([geoDatabase, geoAsn]).toEqual([['a.mmdb', 'b.mmdb'], ['c.csv']]);
});

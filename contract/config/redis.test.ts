/** What a Redis URL may say, and that a password is not part of it. */
import { expect, test } from 'vitest';
import { redis, redisAddress } from './redis.ts';

const local = { host: '127.0.0.1', port: 6_379 };

test.each([
  ['redis://127.0.0.1:6379', { tls: false, cluster: false, user: undefined, nodes: [local], database: 0 }],
  [
    'rediss://weir@127.0.0.1:6379/3',
    { tls: true, cluster: false, user: 'weir', nodes: [local], database: 3 },
  ],
  [
    'redis+cluster://127.0.0.1:6379,[::1]:7000',
    {
      tls: false,
      cluster: true,
      user: undefined,
      nodes: [local, { host: '::1', port: 7_000 }],
      database: 0,
    },
  ],
])('%s', (url, address) => {
  expect(redis.parse({ url })).toEqual({ url, prefix: 'weir' });
  expect(redisAddress(url)).toEqual(address);
});

test.each([
  'redis://127.0.0.1',
  'redis://weir:secret@127.0.0.1:6379',
  'http://127.0.0.1:6379',
  '127.0.0.1:6379',
])('%s is refused, and the message says what is allowed but not what was there', (url) => {
  const [issue] = redis.safeParse({ url }).error?.issues ?? [];
  expect(issue).toMatchObject({ path: ['url'], message: expect.stringContaining('no password') });
  expect(issue?.message).not.toContain('secret');
});

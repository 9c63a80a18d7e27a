import { expect, test } from 'vitest';
import { type IpAddress, parseIp } from '../geo/ip-address.ts';
import { judgeCookie } from './cookies.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (!address) throw new Error(text);
  return address;
}

/** The server's half that a client gets that has none. */
const serverCookie = (secret: Buffer, client: Buffer, source: IpAddress, seconds: number) =>
  judgeCookie(secret, client, source, seconds * 1_000).answer.subarray(8);

const CLIENT = hex('2464c4abcf10c957');
const SECRET = hex('e5e973e5a6b2a43f48e7dc849e37bfcf');
const SOURCE = ip('198.51.100.100');
const MADE = 1_559_731_985;

test('is the cookie of RFC 9018 A.1, and of A.4 over IPv6', () => {
  expect(serverCookie(SECRET, CLIENT, SOURCE, MADE).toString('hex')).toBe('010000005cf79f111f8130c3eee29480');
  const v6 = ip('2001:db8:220:1:59de:d0f4:8769:82b8');
  const other = serverCookie(
    hex('dd3bdf9344b678b185a6f5cb60fca715'),
    hex('22681ab97d52c298'),
    v6,
    0x5cf7c579,
  );
  expect(other.toString('hex')).toBe('010000005cf7c57926556bd0934c72f8');
});

test.each([
  ['at once', 0, 'good', true],
  ['after half an hour', 1_800, 'good', true],
  ['later, and gets a new one', 1_801, 'good', false],
  ['after an hour', 3_600, 'good', false],
  ['not later', 3_601, 'bad', false],
  ['from a clock that is ahead', -300, 'good', true],
  ['not from one further ahead', -301, 'bad', false],
])('is good %s', (_, age, server, same) => {
  const sent = Buffer.concat([CLIENT, serverCookie(SECRET, CLIENT, SOURCE, MADE)]);
  const verdict = judgeCookie(SECRET, sent, SOURCE, (MADE + age) * 1_000);
  expect([verdict.server, verdict.answer.equals(sent)]).toEqual([server, same]);
});

test.each([
  [
    'another client’s',
    'bad',
    Buffer.concat([CLIENT, serverCookie(SECRET, CLIENT, ip('198.51.100.101'), MADE)]),
  ],
  [
    'one of another secret',
    'bad',
    Buffer.concat([CLIENT, serverCookie(hex('00'.repeat(16)), CLIENT, SOURCE, MADE)]),
  ],
  ['none', 'absent', CLIENT],
  ['one of another length', 'bad', Buffer.concat([CLIENT, Buffer.alloc(20, 1)])],
])('%s is answered with a fresh one', (_, known, sent) => {
  const { server, answer } = judgeCookie(SECRET, sent, SOURCE, MADE * 1_000);
  expect(server).toBe(known);
  expect(answer).toEqual(Buffer.concat([CLIENT, serverCookie(SECRET, CLIENT, SOURCE, MADE)]));
});

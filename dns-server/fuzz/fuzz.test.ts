import { expect, test } from 'vitest';
import { corpus } from './corpus.ts';
import { fuzz } from './fuzz.ts';
import { faultOf } from './invariants.ts';

const SEED = 20_261_122;

test(`100,000 odd packets from seed ${SEED} get a good answer each, or the silence that is due`, () => {
  const { answered, silent, faults } = fuzz(SEED, 100_000);
  expect(faults).toEqual([]);
  expect(answered + silent).toBe(100_000);
  // Most are still queries: else nothing behind the parser would be tried.
  expect(answered).toBeGreaterThan(60_000);
}, 120_000);

test('a seed names the same packets again', () => {
  expect(fuzz(7, 500)).toEqual(fuzz(7, 500));
});

test('the judge sees what is wrong', () => {
  const [query = Buffer.alloc(12)] = corpus();
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8400, 2);
  expect(faultOf(query, answer, 'udp')).toBeUndefined();
  expect(faultOf(query, undefined, 'udp')).toBe('silence');
  expect(faultOf(query, Buffer.concat([answer, Buffer.of(0)]), 'udp')).toBe('it cannot be read');
  expect(faultOf(query, Buffer.concat([Buffer.of(9, 9), answer.subarray(2)]), 'udp')).toBe('another id');
});

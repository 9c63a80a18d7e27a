import { describe, expect, test } from 'vitest';
import { newZoneKey, publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import { startRollover, stepRollover } from './rollover.ts';

const START = 1_750_000_000_000;
const HOUR = 3_600_000;
const MAX_TTL = 7_200;

const before: ZoneKeys = { zone: 'cdn.example.net', keys: [newZoneKey(START - 1_000 * HOUR, true)] };
const started = startRollover(before, START);
const [oldKey, newKey] = started.keys;
if (!oldKey || !newKey) throw new Error('two keys');
const [oldTag, newTag] = [publicPart(oldKey).tag, publicPart(newKey).tag];

const phase = (keys: ZoneKeys) => keys.rollover?.phase;
const announced = (keys: ZoneKeys) =>
  keys.keys.filter((key) => key.announced).map((key) => publicPart(key).tag);

test('both keys sign at once, and the parent is told nothing until caches forgot what one alone signed', () => {
  expect([phase(started), started.keys.length, announced(started)]).toEqual(['Publishing', 2, [oldTag]]);
  expect(stepRollover(started, MAX_TTL, undefined, START + 2 * HOUR)).toBe(started);
  const told = stepRollover(started, MAX_TTL, undefined, START + 3 * HOUR);
  expect([phase(told), told.keys.length, announced(told)]).toEqual(['AwaitingDs', 2, [newTag]]);
});

test('a second one waits for the first', () => {
  expect(startRollover(started, START + HOUR)).toBe(started);
});

describe('when the parent is to change', () => {
  const waiting = stepRollover(started, MAX_TTL, undefined, START + 3 * HOUR);
  const later = START + 1_000 * HOUR;

  test.each([
    ['it was not asked', undefined],
    ['it has the old DS', { tags: [oldTag], ttl: 60 }],
    ['it has both', { tags: [oldTag, newTag], ttl: 60 }],
    ['it has none', { tags: [], ttl: 0 }],
    ['it has another', { tags: [newTag + 1], ttl: 60 }],
  ])('nothing happens for ever while %s', (_, seen) => {
    expect(stepRollover(waiting, MAX_TTL, seen, later)).toBe(waiting);
  });

  test('the old key goes when the longest TTL of the old DS ran out, which is a day at least', () => {
    const shown = stepRollover(waiting, MAX_TTL, { tags: [oldTag], ttl: 172_800 }, later);
    const seen = stepRollover(shown, MAX_TTL, { tags: [newTag], ttl: 60 }, later);
    expect([phase(seen), seen.keys.length]).toEqual(['Retiring', 2]);
    expect(stepRollover(seen, MAX_TTL, undefined, later + 48 * HOUR)).toBe(seen);
    expect(stepRollover(seen, MAX_TTL, undefined, later + 49 * HOUR)).toEqual({
      zone: before.zone,
      keys: [{ ...newKey, announced: true }],
    });
    const short = stepRollover(waiting, MAX_TTL, { tags: [newTag], ttl: 60 }, later);
    expect(stepRollover(short, MAX_TTL, undefined, later + 24 * HOUR)).toBe(short);
    expect(stepRollover(short, MAX_TTL, undefined, later + 25 * HOUR).keys).toHaveLength(1);
  });
});

test('a zone without a rollover stays as it is', () => {
  expect(stepRollover(before, MAX_TTL, { tags: [1], ttl: 1 }, START + 9_999 * HOUR)).toBe(before);
});

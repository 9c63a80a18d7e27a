/**
 * How a zone's key is replaced: with double signatures (RFC 6781 4.1.3), so that every validator can follow whatever it
 * has cached. Pure: keys, what the parent was seen to say, and the time in; keys out.
 *
 *     one key ──start──> Publishing: both sign ──caches forgot answers of before──> AwaitingDs: CDS names the new key
 *             ──the parent has the new DS alone──> Retiring: both sign ──caches forgot the old DS──> one key
 */
import { newZoneKey, publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';

/** The DS set that the parent has. */
export interface SeenDs {
  tags: number[];
  ttl: number;
}

/** A resolver may show a TTL that has run down for long: a parent with less than a day of it is the exception. */
const LEAST_DS_TTL = 86_400;
/** For clocks that differ, and dns-servers that get the new keys late. */
const MARGIN_MS = 300_000;

export function startRollover(keys: ZoneKeys, now: number): ZoneKeys {
  if (keys.rollover) return keys;
  return {
    ...keys,
    keys: [...keys.keys, newZoneKey(now, false)],
    rollover: { phase: 'Publishing', since: now, dsTtl: LEAST_DS_TTL },
  };
}

/** Whether it depends on what the parent says. */
export function awaitsParent({ rollover }: ZoneKeys): boolean {
  return rollover?.phase === 'AwaitingDs';
}

/** The keys after this moment; the same object when nothing is due. `maxTtl` is the longest in the zone, in seconds. */
export function stepRollover(
  keys: ZoneKeys,
  maxTtl: number,
  seen: SeenDs | undefined,
  now: number,
): ZoneKeys {
  const { rollover } = keys;
  const newest = keys.keys.at(-1);
  if (rollover === undefined || newest === undefined) return keys;
  const waited = (seconds: number) => now >= rollover.since + seconds * 1_000 + MARGIN_MS;
  switch (rollover.phase) {
    case 'Publishing':
      if (!waited(maxTtl)) return keys;
      return {
        ...keys,
        keys: keys.keys.map((key) => ({ ...key, announced: key === newest })),
        rollover: { ...rollover, phase: 'AwaitingDs', since: now },
      };
    case 'AwaitingDs': {
      if (seen === undefined) return keys;
      const dsTtl = Math.max(rollover.dsTtl, seen.ttl);
      const changed = seen.tags.length > 0 && seen.tags.every((tag) => tag === publicPart(newest).tag);
      if (changed) return { ...keys, rollover: { phase: 'Retiring', since: now, dsTtl } };
      return dsTtl === rollover.dsTtl ? keys : { ...keys, rollover: { ...rollover, dsTtl } };
    }
    case 'Retiring':
      return waited(rollover.dsTtl) ? { zone: keys.zone, keys: [newest] } : keys;
  }
}

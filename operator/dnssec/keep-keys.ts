/**
 * Sees that there is a secret for cookies, that every zone that is to be signed has a key, and takes rollovers on: a look
 * at each now and then, one after the other. What fails is told once, and tried again with the next look.
 */
import { newZoneKey, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import { awaitsParent, type SeenDs, startRollover, stepRollover } from './rollover.ts';
import type { KeyStore } from './zone-key-store.ts';

const LOOK_MS = 1_000;
/** The parent is asked this often: its DS changes in hours. */
const ASK_MS = 600_000;
/** What dns-servers give SOA, NS and DNSKEY. */
const ZONE_TTL = 3_600;

export interface KeyKeeperOptions {
  store: KeyStore;
  plan: () => RoutingPlan | undefined;
  askForDs: (zone: string) => Promise<SeenDs>;
  clock: Clock;
  log: Log;
}

/** Returns a function that ends it. */
export function keepKeys({ store, plan, askForDs, clock, log }: KeyKeeperOptions): () => Promise<void> {
  const askedAt = new Map<string, number>();
  const failures = new Map<string, string>();

  /** What the parent says, if it is time to ask. */
  const parentOf = async (keys: ZoneKeys): Promise<SeenDs | undefined> => {
    if (!awaitsParent(keys) || clock.now() < (askedAt.get(keys.zone) ?? 0) + ASK_MS) return undefined;
    askedAt.set(keys.zone, clock.now());
    return askForDs(keys.zone);
  };

  const look = async (zone: string, maxTtl: number): Promise<void> => {
    const held = await store.read(zone);
    const keys = held ?? { zone, keys: [newZoneKey(clock.now(), true)] };
    const asked = await store.isAskedFor(zone);
    const started = asked ? startRollover(keys, clock.now()) : keys;
    const next = stepRollover(started, maxTtl, await parentOf(started), clock.now());
    if (next !== held) {
      await store.write(next);
      log.info({ zone, keys: next.keys.length, rollover: next.rollover?.phase }, 'keys of a zone changed');
    }
    if (asked) await store.askedForNoMore(zone);
  };

  const attempt = async (what: string, step: () => Promise<void>): Promise<void> => {
    const failure = await step().then(() => '', String);
    if (failure && failure !== failures.get(what)) log.error({ failure }, what);
    failures.set(what, failure);
  };

  const round = latest<void>(async () => {
    await attempt('the secret for cookies is not made', () => store.makeCookieSecret());
    const current = plan();
    for (const { name, dnssec } of current?.zones ?? []) {
      if (!current || !dnssec) continue;
      await attempt(`the keys of ${name} are left as they are`, () => look(name, maxTtlOf(current, name)));
    }
  });
  round.offer();
  const stop = clock.every(LOOK_MS, () => round.offer());
  return async () => {
    stop();
    await round.idle();
  };
}

/** Answers of before a key was there are forgotten after so many seconds. */
function maxTtlOf({ zones, domains }: RoutingPlan, name: string): number {
  const zone = zones.find((candidate) => candidate.name === name);
  const ttls = [...(zone?.records ?? []), ...domains.filter((domain) => domain.zone === name)];
  return Math.max(ZONE_TTL, ...ttls.map(({ ttl }) => ttl));
}

/** Who has a hostname that several claim, over any sequence of folders. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { domainManifest, loadedFrom, SETTINGS } from '../testing/manifests.ts';
import { admit } from './admit.ts';
import { hostnamesOf } from './hostnames.ts';
import { type Accepted, NOTHING_ACCEPTED } from './snapshot.ts';

/** A domain's name to the hostnames that it claims, the first one its `hostname`. */
type Claims = Record<string, readonly string[]>;

function admitClaims(claims: Claims, accepted: Accepted, minute: number) {
  const files = Object.entries(claims).map(([name, [hostname, ...aliases]]) => [
    `${name}.yaml`,
    domainManifest(name, { hostname, aliases }),
  ]);
  const at = new Date(Date.parse('2026-11-22T04:00:00Z') + minute * 60_000).toISOString();
  return admit(loadedFrom({ 'weir.yaml': SETTINGS, ...Object.fromEntries(files) }, at), accepted);
}

/** Who has which hostname after each of the moments. */
function owners(...moments: Claims[]): Map<string, string>[] {
  let accepted = NOTHING_ACCEPTED;
  return moments.map((claims, minute) => {
    const admission = admitClaims(claims, accepted, minute);
    accepted = admission.accepted;
    return new Map(
      admission.snapshot.domains.flatMap((domain) =>
        hostnamesOf(domain).map((hostname) => [hostname, domain.metadata.name] as const),
      ),
    );
  });
}

const last = (...moments: Claims[]) => Object.fromEntries(owners(...moments).at(-1) ?? []);
const [X, Y, Z] = ['x.example.com', 'y.example.com', 'z.example.com'];

describe('of two that claim one hostname', () => {
  test('the one that has it keeps it, also against an older one', () => {
    expect(last({ old: [Y], young: [X] }, { old: [X], young: [X] })).toEqual({ [Y]: 'old', [X]: 'young' });
  });

  test('the older one gets it when nobody has it', () => {
    expect(last({ old: [Y] }, { old: [X], b: [X] })).toEqual({ [X]: 'old' });
    expect(last({ zz: [Y] }, { zz: [Y, X], aa: [X] })).toEqual({ [Y]: 'zz', [X]: 'zz' });
  });

  test('of one age, the lower uid gets it, whichever file comes first', () => {
    const winner = last({ a: [X], b: [X] });
    expect(last({ b: [X], a: [X] })).toEqual(winner);
    expect(Object.keys(winner)).toEqual([X]);
  });

  test('the loser gets it when the winner lets go', () => {
    expect(last({ a: [X] }, { a: [X], b: [X] }, { a: [Y], b: [X] })).toEqual({ [Y]: 'a', [X]: 'b' });
    expect(last({ a: [X] }, { a: [X], b: [X] }, { b: [X] })).toEqual({ [X]: 'b' });
  });
});

describe('a domain that changes', () => {
  test('and loses the new name keeps the old one, which a newcomer wanted', () => {
    // b wants what a has; c wants what b gives up. b has to stay where it was, so c gets nothing.
    expect(last({ a: [X], b: [Y] }, { a: [X], b: [X], c: [Y] })).toEqual({ [X]: 'a', [Y]: 'b' });
  });

  test('in a chain of three moves when the whole chain can', () => {
    expect(last({ a: [X], b: [Y] }, { a: [Z], b: [X], c: [Y] })).toEqual({ [Z]: 'a', [X]: 'b', [Y]: 'c' });
  });

  test('places with another one has its name', () => {
    expect(last({ a: [X], b: [Y] }, { a: [Y], b: [X] })).toEqual({ [Y]: 'a', [X]: 'b' });
  });
});

test('the one that loses is told whose the hostname is', () => {
  const { accepted } = admitClaims({ a: [X] }, NOTHING_ACCEPTED, 0);
  const { problems } = admitClaims({ a: [X], b: [Y, X] }, accepted, 1);
  expect(problems).toEqual([
    expect.objectContaining({
      file: 'b.yaml',
      path: 'spec.aliases[0]',
      reason: 'Conflict',
      message: `${X} belongs to CdnDomain default/a`,
    }),
  ]);
});

test('no hostname is in force twice, and nobody who has one loses it to another who wants it', () => {
  const names = ['a', 'b', 'c', 'd'];
  const hostname = fc.constantFrom(X, Y, Z, 'w.example.com');
  const claims = fc.dictionary(
    fc.constantFrom(...names),
    fc.uniqueArray(hostname, { minLength: 1, maxLength: 3 }),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(claims, { minLength: 2, maxLength: 6 }), (moments) => {
      let accepted = NOTHING_ACCEPTED;
      let before = new Map<string, string>();
      for (const [minute, wanted] of moments.entries()) {
        const admission = admitClaims(wanted, accepted, minute);
        const inForce = admission.snapshot.domains.flatMap(hostnamesOf);
        expect(new Set(inForce).size).toBe(inForce.length);
        const now = new Map(
          admission.snapshot.domains.flatMap((domain) =>
            hostnamesOf(domain).map((name) => [name, domain.metadata.name] as const),
          ),
        );
        for (const [name, owner] of before) {
          if (wanted[owner]?.includes(name)) expect(now.get(name)).toBe(owner);
        }
        // Whoever was in force and is still in the folder is in force, in its new form or in the old one.
        for (const owner of before.values()) {
          if (wanted[owner])
            expect(admission.snapshot.domains.map(({ metadata }) => metadata.name)).toContain(owner);
        }
        [accepted, before] = [admission.accepted, now];
      }
    }),
    { seed: 20_261_122, numRuns: 300 },
  );
});

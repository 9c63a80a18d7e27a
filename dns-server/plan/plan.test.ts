import { describe, expect, test } from 'vitest';
import { NO_REVISION } from '../../contract/plans/revision.ts';
import { published, testDomain, testNode, testPlan } from '../testing/routing-plan.ts';
import { keyOfName } from '../wire/name.ts';
import { keepLowerSince } from './merge.ts';
import { preparePlan } from './prepare.ts';
import { serialOf } from './zone.ts';

describe('a plan that contradicts itself is refused, with all that is wrong', () => {
  test.each([
    [
      { domains: [testDomain({ zone: 'nope.example' })] },
      'domain video.demo.cdn.example.net names the zone nope.example',
    ],
    [{ domains: [testDomain({ set: 'nope' })] }, 'names the candidate set nope'],
    [{ defaultRegion: 'nope' }, 'defaultRegion names the region nope'],
    [
      {
        candidateSets: [
          {
            id: 'all',
            regions: [
              { region: 'us-west', tiers: [{ by: 'Region' as const, name: 'us-west', nodes: ['nope'] }] },
            ],
          },
        ],
      },
      'candidate set all names the node nope',
    ],
    [{ nodes: [testNode('a', 'us-west', { addresses: ['nope'] })] }, 'nope is no IP address'],
  ])('%j', (changes, message) => {
    expect(() => preparePlan(published(testPlan(changes)))).toThrow(message);
  });
});

test('names between the apex and the names of the plan exist', () => {
  const { names } = preparePlan(published(testPlan()));
  const exists = (name: string) => names.has(keyOfName(name));
  expect(['demo.cdn.example.net', 'node.cdn.example.net', 'zz-1.node.cdn.example.net'].map(exists)).toEqual([
    true,
    true,
    true,
  ]);
  expect(['example.net', 'ns.example.org', 'x.demo.cdn.example.net'].map(exists)).toEqual([
    false,
    false,
    false,
  ]);
});

test('the serial rises with each revision, whatever the size of its numbers', () => {
  expect(serialOf({ epoch: 3, seq: 7 })).toBe(12_582_919);
  expect(serialOf({ epoch: 3, seq: 8 })).toBeGreaterThan(serialOf({ epoch: 3, seq: 7 }));
  expect(serialOf({ epoch: 1_023, seq: 4_194_303 })).toBe(2 ** 32 - 1);
  // A leader publishes for weeks.
  expect(serialOf({ epoch: 3, seq: 65_536 })).toBeGreaterThan(serialOf({ epoch: 3, seq: 65_535 }));
  expect(serialOf({ epoch: 1_024, seq: 4_194_304 })).toBe(0);
});

describe('of a domain that is held already the lower since is kept', () => {
  const older = published(testPlan());
  const renumbered = {
    ...older,
    revision: { epoch: 4, seq: 1 },
    since: { 'uid-video': { epoch: 4, seq: 1 } },
  };

  test('when an operator without memory numbers it anew', () => {
    const merged = keepLowerSince(older, renumbered);
    expect(merged).toEqual({ ...renumbered, since: older.since });
  });

  test('and the newer one when that is lower', () => {
    const lower = { ...renumbered, since: { 'uid-video': NO_REVISION } };
    expect(keepLowerSince(older, lower).since).toEqual({ 'uid-video': NO_REVISION });
  });

  test('but not for another domain of the same name', () => {
    const other = { ...renumbered, since: { 'uid-new': { epoch: 4, seq: 1 } } };
    expect(keepLowerSince(older, other).since).toEqual({ 'uid-new': { epoch: 4, seq: 1 } });
  });
});

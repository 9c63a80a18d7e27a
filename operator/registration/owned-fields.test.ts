/** Fields as server-side apply owns them. */
import { describe, expect, test } from 'vitest';
import { apiObject } from '../kubernetes/objects.ts';
import { isApplied, ownedPart, withoutOthers } from './owned-fields.ts';

const OURS = {
  'f:metadata': { 'f:labels': { '.': {}, 'f:pool': {} } },
  'f:spec': {
    'f:addresses': { 'v:"192.0.2.1"': {} },
    'f:location': { 'f:latitude': {} },
    'f:weight': {},
  },
};
const object = (theirs?: unknown, ours: unknown = OURS) =>
  apiObject.parse({
    metadata: {
      name: 'zz-1',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '2026-11-22T04:00:00Z',
      labels: { pool: 'video', other: 'x' },
      managedFields: [
        { manager: 'ours', fieldsV1: ours },
        { manager: 'ours', subresource: 'status', fieldsV1: { 'f:status': {} } },
        ...(theirs ? [{ manager: 'theirs', fieldsV1: theirs }] : []),
      ],
    },
    spec: {
      addresses: ['192.0.2.1', '192.0.2.2'],
      location: { latitude: 1, longitude: 2 },
      weight: 100,
      tier: 'Edge',
    },
    status: { acked: 1 },
  });
const manifest = {
  metadata: { labels: { pool: 'video' } },
  spec: { addresses: ['192.0.2.1'], location: { latitude: 1 }, weight: 100 },
};

test('the part that a manager owns is what it would apply to change nothing', () => {
  expect(ownedPart(object(), 'ours')).toEqual(manifest);
  expect(isApplied(manifest, object(), 'ours')).toBe(true);
});

test('who never wrote owns nothing', () => {
  expect(ownedPart(object(), 'somebody')).toEqual({});
});

describe('is not applied', () => {
  test.each([
    ['another value', { ...manifest, spec: { ...manifest.spec, weight: 7 } }],
    ['a field more', { ...manifest, spec: { ...manifest.spec, schedulable: true } }],
    ['a field less', { ...manifest, spec: { addresses: ['192.0.2.1'], weight: 100 } }],
    ['another item', { ...manifest, spec: { ...manifest.spec, addresses: ['192.0.2.3'] } }],
    ['a label less', { ...manifest, metadata: { labels: {} } }],
  ])('%s', (_, wanted) => {
    expect(isApplied(wanted, object(), 'ours')).toBe(false);
  });

  test('what somebody took out of a list', () => {
    const shrunk = { ...object(), spec: { addresses: [], location: { latitude: 1 }, weight: 100 } };
    expect(isApplied(manifest, shrunk, 'ours')).toBe(false);
  });
});

test('what others own is left out, a list of theirs whole; what they have of a status is no matter', () => {
  const theirs = {
    'f:metadata': { 'f:labels': { 'f:pool': {} } },
    'f:spec': { 'f:addresses': { 'v:"192.0.2.2"': {} }, 'f:location': { 'f:longitude': {} } },
  };
  expect(withoutOthers(manifest, object(theirs), 'ours')).toEqual({
    spec: { location: { latitude: 1 }, weight: 100 },
  });
  expect(withoutOthers(manifest, undefined, 'ours')).toEqual(manifest);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ApiObject } from '../../kubernetes/objects.ts';
import { Documents } from './documents.ts';

const SEED = 3;

function domain(uid: number, generation: number, { going = false, secret = '' } = {}): ApiObject {
  const creationTimestamp = '2026-11-23T20:00:00Z';
  const deletion = going && { deletionTimestamp: creationTimestamp };
  const metadata = { name: `d${uid}`, namespace: 'demo', uid: `${uid}`, resourceVersion: `${generation}` };
  return {
    metadata: { ...metadata, generation, creationTimestamp, ...deletion },
    spec: { ...(secret && { tls: { secretRef: { name: secret } } }) },
  };
}

const SECRETS = ['', 'a', 'b'];
const step = fc.record({
  uid: fc.nat(12),
  // Another spec has another generation.
  generation: fc.nat(8),
  kind: fc.constantFrom('gone', 'there', 'going'),
});

test(`one put after the other is all of it at once (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const documents = new Documents();
      const objects = new Map<string, ApiObject>();
      for (const { uid, generation, kind } of steps) {
        const secret = SECRETS[generation % SECRETS.length] ?? '';
        const before = documents.sorted;
        const known = new Set(before);
        const object =
          kind === 'gone' ? undefined : domain(uid, generation, { going: kind === 'going', secret });
        const named = [...documents.secrets].join(' ');
        const isOther = documents.put('CdnDomain', `${uid}`, object);
        if (object) objects.set(`${uid}`, object);
        else objects.delete(`${uid}`);
        const whole = new Documents();
        whole.replace([['CdnDomain', objects]]);
        const shown = ({ sorted }: Documents) =>
          sorted.map(({ file, value, server }) => ({ file, value, server }));
        expect(shown(documents)).toEqual(shown(whole));
        expect([...documents.secrets].sort()).toEqual([...whole.secrets].sort());
        // What did not change is the very same, and the list of before stays as it was.
        const others = documents.sorted.filter((document) => !known.has(document));
        expect(others.length).toBeLessThanOrEqual(1);
        const isSame = documents.sorted === before && named === [...documents.secrets].join(' ');
        expect(isOther || isSame).toBe(true);
      }
    }),
    { seed: SEED },
  );
});

test('the echo of a status is no other document', () => {
  const documents = new Documents();
  documents.replace([['CdnDomain', new Map([['1', domain(1, 1)]])]]);
  const before = documents.sorted;
  const object = domain(1, 1);
  expect(
    documents.put('CdnDomain', '1', { ...object, metadata: { ...object.metadata, resourceVersion: '9' } }),
  ).toBe(false);
  expect(documents.sorted).toBe(before);
});

/** Same input, same bytes: whatever order manifests are read in, and without a trace on what was handed in. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planDigest } from '../../contract/plans/published-plan.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { admit } from '../admit/admit.ts';
import { NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { AT, domainManifest, jobManifest, loadedFrom, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { compile } from './compile.ts';

const SEED = 20_261_122;
const POOLS = ['', 'a', 'b'];

const domainText = fc
  .record({ name: fc.stringMatching(/^[a-z]{1,6}$/), pool: fc.constantFrom(...POOLS) })
  .map(({ name, pool }) =>
    domainManifest(name, pool === '' ? {} : { routing: { nodes: { matchLabels: { pool } } } }),
  );
const nodeText = fc
  .record({
    name: fc.stringMatching(/^[a-z]{1,6}$/),
    region: fc.constantFrom('cn-north', 'cn-central', 'us-west'),
  })
  .map(({ name, region }) => nodeManifest(name, { region }));

/** One file for each manifest, so that each has a place of its own. */
const folder = fc
  .uniqueArray(fc.oneof(domainText, nodeText, fc.constant(jobManifest('all'))), { maxLength: 20 })
  .map((texts) => loadedFrom({ 'weir.yaml': SETTINGS, ...Object.fromEntries(texts.entries()) }));

function planned(loaded: ReturnType<typeof loadedFrom>) {
  const { config, snapshot } = admit(loaded, NOTHING_ACCEPTED);
  if (!config) throw new Error('the settings of this test are valid');
  return { config, snapshot, plans: compile(snapshot, config) };
}

test('the order in which manifests come changes no byte and no digest', () => {
  const shuffled = folder.chain((loaded) =>
    fc.tuple(
      fc.constant(loaded),
      fc.shuffledSubarray([...loaded.documents], { minLength: loaded.documents.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([loaded, documents]) => {
      // Of two documents with one identity the first has it, so the order counts where names repeat.
      const names = loaded.documents.map(({ value }) =>
        canonicalJson(value)
          .match(/"name":"\w+"/g)
          ?.join(),
      );
      fc.pre(new Set(names).size === names.length);
      const [one, other] = [planned(loaded).plans, planned({ ...loaded, documents }).plans];
      expect(JSON.stringify(other)).toBe(JSON.stringify(one));
      expect(planDigest(other.routing)).toBe(planDigest(one.routing));
      expect(planDigest(other.edge)).toBe(planDigest(one.edge));
    }),
    { seed: SEED },
  );
});

test('the same folder read later gives the same plans', () => {
  const files = { 'weir.yaml': SETTINGS, 'a.yaml': domainManifest('video') + nodeManifest('la-1') };
  expect(planned(loadedFrom(files, '2027-01-01T00:00:00Z')).plans).toEqual(
    planned(loadedFrom(files, AT)).plans,
  );
});

test('what is handed in stays as it was', () => {
  fc.assert(
    fc.property(folder, (loaded) => {
      const { config, snapshot } = planned(loaded);
      const before = canonicalJson({ config, snapshot });
      compile(deepFreeze(snapshot), deepFreeze(config));
      expect(canonicalJson({ config, snapshot })).toBe(before);
    }),
    { seed: SEED, numRuns: 30 },
  );
});

/** A write to a frozen object throws in a module. */
function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

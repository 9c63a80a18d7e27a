/** What edits come to is what the whole comes to: sequences of them, of which some are in order and some are not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memo } from '../../lib/memo.ts';
import type { Loaded, SourceDocument } from '../source/source.ts';
import { domainManifest, jobManifest, loadedFrom, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { admit } from './admit.ts';
import { admitEdit } from './edit.ts';
import { type Admission, type Experience, NOTHING_ACCEPTED } from './snapshot.ts';

const SEED = 11;

const names = fc.constantFrom('a', 'b', 'c', 'd');
const texts = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(names, fc.nat(3)).map(([name, port]) => domainAt(name, port)) },
  { weight: 2, arbitrary: fc.tuple(names, names).map(([name, host]) => domainManifest(name, hostOf(host))) },
  { weight: 2, arbitrary: names.map((name) => nodeManifest(name)) },
  { weight: 2, arbitrary: fc.tuple(names, names).map(([name, domain]) => jobManifest(name, jobOf(domain))) },
  { weight: 1, arbitrary: fc.constantFrom('---\nkind: Nothing\n', domainManifest('a', { orgins: [] })) },
);
const edits = fc.array(
  fc.record({ file: fc.nat(7), text: fc.option(texts, { freq: 5 }), uid: fc.option(fc.nat(2), { freq: 1 }) }),
  { minLength: 5, maxLength: 30 },
);

function domainAt(name: string, port: number): string {
  return domainManifest(name, { origins: [{ name: 'main', url: `http://192.0.2.1:${8_000 + port}` }] });
}
const hostOf = (name: string) => ({ hostname: `${name}.example.com` });
const jobOf = (name: string) => ({ domainRef: { name } });

/** The same document of the same file and text, as a source keeps it. */
const parsed = new Map<string, readonly SourceDocument[]>();
const documentsOf = (file: string, text: string) => {
  const key = `${file} ${text}`;
  const known = parsed.get(key) ?? loadedFrom({ [file]: text }).documents;
  parsed.set(key, known);
  return known;
};
/** As an API server has them: one that was made anew has another uid. */
const served = memo((document: SourceDocument) =>
  [0, 1, 2].map((uid) => ({
    ...document,
    server: { uid: `${document.file}-${uid}`, generation: 1, creationTimestamp: '2026-11-22T04:00:00Z' },
  })),
);

const { config } = loadedFrom({ 'weir.yaml': SETTINGS });

function loadedOf(files: ReadonlyMap<string, readonly SourceDocument[]>, step: number): Loaded {
  const at = new Date(Date.parse('2026-11-22T04:00:00Z') + step * 60_000).toISOString();
  const rows = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return { at, config, documents: rows.flatMap(([, documents]) => documents) };
}

const shown = ({ read, accepted, ...admission }: Admission) => ({
  ...admission,
  resources: new Map(accepted.resources),
  documents: new Map(read?.documents),
});

test(`an edit is admitted as the whole is (seed ${SEED})`, () => {
  let taken = 0;
  fc.assert(
    fc.property(edits, fc.boolean(), (steps, isTaken) => {
      const experience: Experience = { quarantined: new Map(), isTaken: () => isTaken };
      const files = new Map<string, readonly SourceDocument[]>();
      let last: Admission | undefined;
      for (const [step, { file, text, uid }] of steps.entries()) {
        const path = `${file}.yaml`;
        const documents = text === null ? [] : documentsOf(path, text);
        files.set(path, uid === null ? documents : documents.map((row) => served(row)[uid] ?? row));
        const loaded = loadedOf(files, step);
        const whole = admit(loaded, last?.accepted ?? NOTHING_ACCEPTED, experience);
        const edited = last && admitEdit(last, loaded, experience);
        if (edited) {
          taken += 1;
          expect(shown(edited)).toEqual(shown(whole));
        }
        last = edited ?? whole;
      }
    }),
    { seed: SEED },
  );
  expect(taken).toBeGreaterThan(50);
});

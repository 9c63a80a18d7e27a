/** Bad input never breaks what works: what stays in force, what goes, and what is told. */
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../contract/problem.ts';
import {
  domainManifest,
  jobManifest,
  loadedFrom,
  manifest,
  nodeManifest,
  SETTINGS,
} from '../testing/manifests.ts';
import { admit } from './admit.ts';
import { type Admission, NOTHING_ACCEPTED } from './snapshot.ts';

type Files = Record<string, string>;

/** One folder after the other, each admitted over what the one before left accepted. Minutes pass in between. */
function admitAll(...moments: Files[]): Admission {
  const start = Date.parse('2026-11-22T04:00:00Z');
  let last: Admission | undefined;
  for (const [index, files] of moments.entries()) {
    const at = new Date(start + index * 60_000).toISOString();
    last = admit(loadedFrom({ 'weir.yaml': SETTINGS, ...files }, at), last?.accepted ?? NOTHING_ACCEPTED);
  }
  if (!last) throw new Error('at least one moment');
  return last;
}

const hostnames = ({ snapshot }: Admission) =>
  Object.fromEntries(snapshot.domains.map(({ metadata, spec }) => [metadata.name, spec.hostname]));
const texts = ({ problems }: Admission) => problems.map(formatProblem);
const jobOf = ({ snapshot: { jobs } }: Admission) => {
  const [job] = jobs;
  if (!job) throw new Error('there is no job');
  return job;
};

const video = domainManifest('video');
const renamed = domainManifest('video', { hostname: 'new.example.com' });
const broken = domainManifest('video', { hostname: 'new.example.com', orgins: [] });

describe('a document that', () => {
  test('is refused keeps its last accepted form', () => {
    const admission = admitAll({ 'a.yaml': video }, { 'a.yaml': broken });
    expect(hostnames(admission)).toEqual({ video: 'video.example.com' });
    expect(texts(admission)).toEqual([expect.stringContaining('CdnDomain default/video: spec.orgins: []')]);
    expect([...admission.accepted.resources.values()].map(({ current }) => current)).toEqual([false]);
  });

  test('is refused and was never accepted is left out, and the others apply', () => {
    expect(hostnames(admitAll({ 'a.yaml': broken, 'b.yaml': domainManifest('www') }))).toEqual({
      www: 'www.example.com',
    });
  });

  test('is refused keeps that form however often it changes, until it is right', () => {
    const alsoBroken = domainManifest('video', { hostname: 'UPPER' });
    const before = admitAll({ 'a.yaml': video }, { 'a.yaml': broken }, { 'a.yaml': alsoBroken });
    expect(hostnames(before)).toEqual({ video: 'video.example.com' });
    const after = admitAll({ 'a.yaml': video }, { 'a.yaml': broken }, { 'a.yaml': renamed });
    expect(hostnames(after)).toEqual({ video: 'new.example.com' });
    expect(after.problems).toEqual([]);
  });

  test('is deleted deletes its resource, also while another one is wrong', () => {
    const both = video + domainManifest('www');
    expect(hostnames(admitAll({ 'a.yaml': both }, { 'a.yaml': broken }))).toEqual({
      video: 'video.example.com',
    });
  });

  test('is deleted while it was wrong deletes its resource', () => {
    expect(hostnames(admitAll({ 'a.yaml': video }, { 'a.yaml': broken }, {}))).toEqual({});
  });

  test('moves to another file is the same resource', () => {
    const [before, after] = [
      admitAll({ 'a.yaml': video }),
      admitAll({ 'a.yaml': video }, { 'deep/b.yaml': video }),
    ];
    expect(after.snapshot).toEqual(before.snapshot);
  });
});

describe('a file that', () => {
  const both = video + domainManifest('www');

  test.each([
    ['does not parse', '{ this is: [no yaml'],
    ['has a document without a readable kind', '---\nkind: CdnDomian\nmetadata: { name: video }\n'],
    [
      'has a document without a readable name',
      manifest('CdnDomain', { name: '../video' }, specOf('x.example.com')),
    ],
  ])('%s keeps all that it gave', (_what, text) => {
    const admission = admitAll({ 'a.yaml': both, 'b.yaml': domainManifest('live') }, { 'a.yaml': text });
    expect(hostnames(admission)).toEqual({ video: 'video.example.com', www: 'www.example.com' });
    expect(admission.problems).toHaveLength(1);
  });

  test('has a document without a readable name applies its others', () => {
    const admission = admitAll({ 'a.yaml': both }, { 'a.yaml': `${renamed}---\nkind: CdnDomain\n` });
    expect(hostnames(admission)).toEqual({ video: 'new.example.com', www: 'www.example.com' });
  });

  test('does not parse loses a document that another file has now', () => {
    const admission = admitAll({ 'a.yaml': both }, { 'a.yaml': ': :', 'b.yaml': renamed });
    expect(hostnames(admission)).toEqual({ video: 'new.example.com', www: 'www.example.com' });
  });
});

describe('settings', () => {
  const typo = SETTINGS.replace('defaultRegion: us-west', 'defaultRegion: us-wset');

  test('that are refused leave the last accepted ones in force, and manifests go on applying', () => {
    const admission = admitAll({ 'a.yaml': video }, { 'weir.yaml': typo, 'a.yaml': renamed });
    expect(admission.config?.defaultRegion).toBe('us-west');
    expect(hostnames(admission)).toEqual({ video: 'new.example.com' });
    expect(texts(admission)).toEqual([expect.stringMatching(/^weir\.yaml:\d+: defaultRegion: "us-wset"/)]);
  });

  test('that were never accepted let nothing in: it could not be checked against them', () => {
    const wrong = nodeManifest('bj-1', { region: 'cn-nroth' });
    const before = admitAll({ 'weir.yaml': typo, 'a.yaml': video + wrong });
    expect(before.snapshot).toEqual({ domains: [], nodes: [], jobs: [], certificates: [] });
    const after = admitAll({ 'weir.yaml': typo, 'a.yaml': video + wrong }, { 'a.yaml': video + wrong });
    expect(hostnames(after)).toEqual({ video: 'video.example.com' });
    expect(after.snapshot.nodes).toEqual([]);
  });

  test('that went away stay, and are missed', () => {
    const accepted = admitAll({ 'a.yaml': video }).accepted;
    const admission = admit(loadedFrom({ 'a.yaml': video }), accepted);
    expect(admission.config?.defaultRegion).toBe('us-west');
    expect(texts(admission)).toEqual(['weir.yaml:1: the folder has no weir.yaml at its root']);
  });
});

describe('of two documents with one identity', () => {
  test('the first by path has it, whichever was there before', () => {
    const admission = admitAll({ 'b.yaml': video }, { 'a.yaml': renamed, 'b.yaml': video });
    expect(hostnames(admission)).toEqual({ video: 'new.example.com' });
    expect(texts(admission)).toEqual([
      expect.stringMatching(
        /^b\.yaml:5: CdnDomain default\/video: metadata\.name: "video": stands in a\.yaml:2/,
      ),
    ]);
  });

  test('names of two namespaces or two kinds are not one identity', () => {
    const other = manifest('CdnDomain', { name: 'video', namespace: 'demo' }, specOf('other.example.com'));
    expect(admitAll({ 'a.yaml': video + other + nodeManifest('video') }).problems).toEqual([]);
  });
});

function specOf(hostname: string) {
  return { hostname, origins: [{ name: 'main', url: 'http://192.0.2.1' }] };
}

describe('identity', () => {
  test('a domain keeps uid, creation and generation while its spec is the same', () => {
    const labelled = video.replace('name: video', 'name: video\n  labels: { team: a }');
    const [before] = admitAll({ 'a.yaml': video }).snapshot.domains;
    const [after] = admitAll({ 'a.yaml': video }, { 'a.yaml': labelled }).snapshot.domains;
    expect(after?.metadata).toEqual({ ...before?.metadata, labels: { team: 'a' } });
  });

  test('generation counts changes of the spec that were accepted', () => {
    const moments = [video, renamed, broken, renamed, video].map((text) => ({ 'a.yaml': text }));
    expect(admitAll(...moments).snapshot.domains[0]?.metadata.generation).toBe(3);
  });

  test('a domain that comes back has the uid it had: its name alone makes it', () => {
    const uid = (admission: Admission) => admission.snapshot.domains[0]?.metadata.uid;
    expect(uid(admitAll({ 'a.yaml': video }, {}, { 'a.yaml': renamed }))).toBe(
      uid(admitAll({ 'a.yaml': video })),
    );
  });

  test('a PurgeJob is another one when its spec changes, and when it comes back', () => {
    const job = video + jobManifest('all');
    const changed = video + jobManifest('all', { activeDeadlineSeconds: 60 });
    const first = jobOf(admitAll({ 'a.yaml': job })).metadata;
    expect(jobOf(admitAll({ 'a.yaml': job }, { 'a.yaml': job })).metadata).toEqual(first);
    const second = jobOf(admitAll({ 'a.yaml': job }, { 'a.yaml': changed })).metadata;
    expect(second).toMatchObject({ generation: 1, creationTimestamp: '2026-11-22T04:01:00.000Z' });
    const third = jobOf(admitAll({ 'a.yaml': job }, { 'a.yaml': video }, { 'a.yaml': job })).metadata;
    expect(new Set([first.uid, second.uid, third.uid]).size).toBe(3);
  });

  test('a PurgeJob that is refused for a moment stays the same job', () => {
    const moments = [jobManifest('all'), jobManifest('all', { bogus: 1 }), jobManifest('all')];
    const admission = admitAll(...moments.map((text) => ({ 'a.yaml': video + text })));
    expect(jobOf(admission)).toEqual(jobOf(admitAll({ 'a.yaml': video + moments[0] })));
  });
});

describe('a PurgeJob', () => {
  test('of a domain that is not in force is refused, and starts when the domain is there', () => {
    const job = { 'j.yaml': jobManifest('all') };
    const refused = admitAll(job);
    expect(refused.snapshot.jobs).toEqual([]);
    expect(texts(refused)).toEqual([expect.stringContaining('spec.domainRef.name: "video": a CdnDomain')]);
    expect(admitAll(job, { ...job, 'v.yaml': broken }).snapshot.jobs).toEqual([]);
    expect(jobOf(admitAll(job, { ...job, 'v.yaml': video })).metadata.name).toBe('all');
  });

  test('of a URL under an alias is accepted, of a foreign host it is refused', () => {
    const aliased = domainManifest('video', { aliases: ['v2.example.com'] });
    const job = (url: string) => jobManifest('one', { everything: undefined, urls: [url] });
    expect(admitAll({ 'a.yaml': aliased + job('http://v2.example.com/a') }).problems).toEqual([]);
    expect(texts(admitAll({ 'a.yaml': aliased + job('http://v3.example.com/a') }))).toEqual([
      expect.stringContaining('its hosts are video.example.com, v2.example.com'),
    ]);
  });

  test('stays when its domain goes: what was accepted has begun', () => {
    const admission = admitAll({ 'a.yaml': video + jobManifest('all') }, { 'a.yaml': jobManifest('all') });
    expect(admission.snapshot.jobs).toHaveLength(1);
    expect(admission.problems).toHaveLength(1);
  });
});

test('problems come in the order of their places', () => {
  const files = {
    'b.yaml': broken,
    'a.yaml': `${nodeManifest('n', { weight: -1 })}${nodeManifest('m', { region: 'x' })}`,
  };
  expect(admitAll(files).problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
    'a.yaml:10',
    'a.yaml:19',
    'b.yaml:11',
  ]);
});

/** The folder source over a real folder: saves as editors and ConfigMaps make them, deletions, and a disk that fails. */
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { eventually } from '../../../lib/testing/eventually.ts';
import type { Loaded, Source } from '../source.ts';
import { folderSource, loadFolder } from './folder-source.ts';

let base: string;
let folder: string;
let clock: FakeClock;
let source: Source;
let moments: Loaded[];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'weir-folder-'));
  folder = join(base, 'folder');
  await mkdir(folder);
  clock = new FakeClock(Date.parse('2026-11-22T04:00:00Z'));
  moments = [];
  source = folderSource({
    folder,
    jobs: join(base, 'state', 'jobs'),
    samples: join(base, 'state', 'samples'),
    clock,
    log: silentLog,
  });
});

afterEach(async () => {
  await source.stop();
  await rm(base, { recursive: true });
});

async function put(path: string, text: string): Promise<void> {
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
}

/** Starts, and resolves with the first moment. */
async function started(): Promise<Loaded> {
  source.start((loaded) => moments.push(loaded));
  return eventually(() => lastMoment());
}

/** Time passes until a poll has seen what the condition asks for. */
const polled = (condition: () => void) =>
  eventually(() => {
    clock.advance(2_000);
    condition();
  });

function lastMoment(): Loaded {
  const moment = moments.at(-1);
  if (!moment) throw new Error('nothing was read yet');
  return moment;
}

const values = () => lastMoment().documents.map(({ value }) => value);
const files = () => lastMoment().documents.map(({ file }) => file);

describe('what is read', () => {
  test('every manifest at any depth in order of path, and weir.yaml apart', async () => {
    await put('weir.yaml', 'zones: []');
    await put('b.yml', 'b: 1');
    await put('a/deep/er.yaml', 'a: 1');
    await put('c.json', '{ "c": 1 }');
    await put('sub/weir.yaml', 'd: 1');
    await put('README.md', '# not: ours');
    await put('.hidden/x.yaml', 'x: 1');
    await put('.b.yml.swp', 'x: 1');
    const { config, at } = await started();
    expect(config?.value).toEqual({ zones: [] });
    expect(at).toBe('2026-11-22T04:00:00.000Z');
    expect(files()).toEqual(['a/deep/er.yaml', 'b.yml', 'c.json', 'sub/weir.yaml']);
  });

  test('documents of one file know their lines; one that does not parse leaves the others alone', async () => {
    await put('a.yaml', '# first\na:\n  - x: 1\n---\n---\nb: 1\n---\n{ c: [\n---\nd:\n  e: 2\n');
    await started();
    const documents = lastMoment().documents;
    expect(documents.map(({ value }) => value)).toEqual([
      { a: [{ x: 1 }] },
      { b: 1 },
      undefined,
      { d: { e: 2 } },
    ]);
    expect(documents.map((document) => document.line(['d', 'e', 'missing']))).toEqual([2, 6, 8, 11]);
    expect(documents[0]?.line(['a', 0, 'x'])).toBe(3);
    expect(documents[2]?.syntaxError?.line).toBeGreaterThanOrEqual(8);
  });

  test('manifests behind the settings in weir.yaml are manifests', async () => {
    await put('weir.yaml', 'zones: []\n---\nkind: EdgeNode\n');
    expect((await started()).config?.value).toEqual({ zones: [] });
    expect(values()).toEqual([{ kind: 'EdgeNode' }]);
  });

  test('an alias bomb is a syntax error and no more', async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
    await put('a.yaml', `l0: &l0 [x]\n${levels.join('\n')}\n`);
    await put('b.yaml', 'b: 1');
    await started();
    expect(lastMoment().documents.map(({ syntaxError }) => syntaxError !== undefined)).toEqual([true, false]);
  });

  test('jobs of our own stand behind, and are marked', async () => {
    await mkdir(join(base, 'state', 'jobs'), { recursive: true });
    await writeFile(join(base, 'state', 'jobs', 'demo.all.yaml'), 'j: 1');
    await put('z.yaml', 'z: 1');
    await started();
    expect(lastMoment().documents.map(({ file, ownJob }) => [file, ownJob])).toEqual([
      ['z.yaml', undefined],
      ['.jobs/demo.all.yaml', true],
    ]);
  });

  test('of the samples the Secret, and not the CA beside it', async () => {
    await mkdir(join(base, 'state', 'samples'), { recursive: true });
    await writeFile(join(base, 'state', 'samples', 'secret.yaml'), 's: 1');
    await writeFile(join(base, 'state', 'samples', 'ca.json'), '{ "key": "1" }');
    expect((await started()).documents.map(({ file }) => file)).toEqual(['.samples/secret.yaml']);
  });

  test('once, for commands that do not stay', async () => {
    await put('a.yaml', 'a: 1');
    const { documents, config } = await loadFolder(folder, '2026-01-01T00:00:00Z');
    expect([documents.length, config]).toEqual([1, undefined]);
  });
});

describe('a change', () => {
  test('by an editor that writes aside and renames is seen', async () => {
    await put('a.yaml', 'a: 1');
    await started();
    await writeFile(join(folder, '.a.yaml.tmp'), 'a: 2');
    await rename(join(folder, '.a.yaml.tmp'), join(folder, 'a.yaml'));
    await polled(() => expect(values()).toEqual([{ a: 2 }]));
    expect(moments).toHaveLength(2);
  });

  test('by a ConfigMap that swaps its link is seen', async () => {
    for (const version of ['1', '2']) await put(`..v${version}/a.yaml`, `a: ${version}`);
    await symlink('..v1', join(folder, '..data'));
    await symlink(join('..data', 'a.yaml'), join(folder, 'a.yaml'));
    await started();
    expect(values()).toEqual([{ a: 1 }]);
    await symlink('..v2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await rm(join(folder, '..v1'), { recursive: true });
    await polled(() => expect(values()).toEqual([{ a: 2 }]));
    expect(moments).toHaveLength(2);
  });

  test('in a folder that is reached by a link is seen', async () => {
    await mkdir(join(base, 'elsewhere'));
    await writeFile(join(base, 'elsewhere', 'a.yaml'), 'a: 1');
    await symlink(join(base, 'elsewhere'), join(folder, 'linked'));
    await started();
    expect(files()).toEqual(['linked/a.yaml']);
    await writeFile(join(base, 'elsewhere', 'a.yaml'), 'a: 2');
    await polled(() => expect(values()).toEqual([{ a: 2 }]));
  });

  test('that deletes a file deletes its documents', async () => {
    await put('a.yaml', 'a: 1');
    await put('b.yaml', 'b: 1');
    await started();
    await unlink(join(folder, 'a.yaml'));
    await polled(() => expect(files()).toEqual(['b.yaml']));
  });

  test('is seen by the watch without a poll', async () => {
    await put('sub/a.yaml', 'a: 1');
    await started();
    await put('sub/a.yaml', 'a: 2');
    await eventually(() => {
      // Far less than a poll in all: only a watch can have set off the look .
      clock.advance(10);
      expect(values()).toEqual([{ a: 2 }]);
    });
    expect(clock.now() - Date.parse('2026-11-22T04:00:00Z')).toBeLessThan(2_000);
  });

  test('of nothing is not handed over again', async () => {
    await put('a.yaml', 'a: 1');
    await started();
    await put('a.yaml', 'a: 1');
    await put('b.yaml', 'b: 1');
    await polled(() => expect(files()).toEqual(['a.yaml', 'b.yaml']));
    expect(moments).toHaveLength(2);
  });
});

describe('a folder that can not be read', () => {
  test('gives nothing new, and is read again when it is back', async () => {
    await put('a.yaml', 'a: 1');
    await started();
    await rename(folder, `${folder}.away`);
    for (let poll = 0; poll < 5; poll++) {
      clock.advance(2_000);
      await new Promise(setImmediate);
    }
    expect(moments).toHaveLength(1);
    await rename(`${folder}.away`, folder);
    await put('b.yaml', 'b: 1');
    await polled(() => expect(files()).toEqual(['a.yaml', 'b.yaml']));
  });

  test('is waited for when it is not there at the start', async () => {
    await rm(folder, { recursive: true });
    source.start((loaded) => moments.push(loaded));
    await put('a.yaml', 'a: 1');
    await polled(() => expect(files()).toEqual(['a.yaml']));
  });

  test('in one place below gives nothing new at all', async () => {
    await put('a.yaml', 'a: 1');
    await started();
    // Root may read everything, so a link that leads to itself stands for what can't be read.
    await symlink('loop', join(folder, 'loop'));
    await put('a.yaml', 'a: 2');
    for (let poll = 0; poll < 5; poll++) {
      clock.advance(2_000);
      await new Promise(setImmediate);
    }
    expect(values()).toEqual([{ a: 1 }]);
    await unlink(join(folder, 'loop'));
    await polled(() => expect(values()).toEqual([{ a: 2 }]));
  });
});

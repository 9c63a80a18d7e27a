/** Rules of this repository that a machine can check. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ENTRIES } from '../../scripts/build.ts';
import { importsOf, read, sourceFiles } from './sources.ts';

const texts = sourceFiles('ts', 'mjs', 'md', 'yaml', 'json', 'sh').filter(
  (path) => path !== 'package-lock.json',
);

/** `path:line: text` of every line that a rule finds fault with. */
function linesWith(pattern: RegExp): string[] {
  return texts.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

test('nothing is left to be done later in a comment', () => {
  // Put together here, so that this file does not find itself.
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'];
  expect(linesWith(new RegExp(`\\b(${words.join('|')})\\b`))).toEqual([]);
});

test('no path of one person’s machine', () => {
  expect(linesWith(/(^|[\s'"`(=:])\/(home|root|work|Users)\/\w/)).toEqual([]);
});

test('what is started by its path is built: programs and threads', () => {
  const started = sourceFiles('ts')
    .filter((path) => !/\.test\.ts$|\/testing\//.test(path))
    .flatMap((path) => [...read(path).matchAll(/(?:codeFile\(|\bmodule: )'([^']+)'/g)])
    .map(([, module]) => module);
  expect(started).toContain('edge/main');
  expect(ENTRIES).toEqual(expect.arrayContaining(started));
  // The bundle has another path for what is named relative to a source.
  const threads = texts.filter((path) => /new Worker\((?!codeFile\()/.test(read(path)));
  expect(threads.filter((path) => /^(lib|agent|operator|dns-server|edge|cli)\//.test(path))).toEqual([]);
});

describe('dependencies', () => {
  const names = z.record(z.string(), z.string());
  const manifest = z
    .object({ dependencies: names, devDependencies: names })
    .parse(JSON.parse(read('package.json')));
  const [, runTime = '', development = ''] = read('docs/dependencies.md').split(/^## .*$/m);
  const listed = (section: string) =>
    [...section.matchAll(/^- `([^`]+)`: .{20,}$/gm)].map(([, name]) => name);

  test('that Weir runs with are listed with the reason, and no others', () => {
    expect(listed(runTime)).toEqual(Object.keys(manifest.dependencies).sort());
  });

  test('of development are listed with the reason, and no others', () => {
    expect(listed(development)).toEqual(Object.keys(manifest.devDependencies).sort());
  });

  test('are pinned', () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('are locked for every platform: `npm ci` refuses a lock that leaves one out, on all of them', () => {
    const { packages } = lockFile.parse(JSON.parse(read('package-lock.json')));
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  test('of what runs at a user’s are run time ones', () => {
    const programs = /^(lib|contract|agent|operator|dns-server|edge|cli)\//;
    const foreign = sourceFiles('ts')
      .filter((path) => programs.test(path) && !/\.test\.ts$|\/testing\//.test(path))
      .flatMap((path) => importsOf(read(path)).map(({ from }) => ({ path, from })))
      .filter(({ from }) => !/^(\.|node:)/.test(from) && !(packageOf(from) in manifest.dependencies));
    expect(foreign).toEqual([]);
  });
});

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({ optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

/** `@scope/name/file` and `name/file` without the file. */
function packageOf(from: string): string {
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
}

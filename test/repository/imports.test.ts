/**
 * Imports go one way, and what decides does no I/O:
 *
 *     lib <── contract <── agent <── dns-server | edge <── cli
 *                 └────────────────────── operator <──────┘
 */
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importsOf, read, sourceFiles, withoutComments } from './sources.ts';

/** Each part, and the parts that it may import. What is not named here may import everything. */
const MAY_IMPORT: Record<string, string[]> = {
  lib: [],
  contract: ['lib'],
  agent: ['contract', 'lib'],
  operator: ['contract', 'lib'],
  'dns-server': ['agent', 'contract', 'lib'],
  edge: ['agent', 'contract', 'lib'],
  cli: ['operator', 'dns-server', 'edge', 'agent', 'contract', 'lib'],
};

/** Values in, values out: no socket, file, clock, chance or environment, here or in anything that they import. */
const PURE = [
  'contract/kinds/',
  'contract/config/',
  'contract/plans/',
  'contract/stream/',
  'contract/trust/',
  'operator/admit/',
  'operator/certificates/holdings.ts',
  'operator/certificates/pair.ts',
  'operator/compile/',
  'operator/decide/',
  'operator/status/budget.ts',
  'operator/status/statuses.ts',
  'operator/trust/ca.ts',
  'operator/trust/join-tokens.ts',
  'operator/trust/judge.ts',
  'operator/trust/policy.ts',
  'operator/registration/registrations.ts',
  'dns-server/answer/',
  'dns-server/wire/',
  'edge/cache/cache-control.ts',
  'edge/cache/conditional.ts',
  'edge/cache/freshness.ts',
  'edge/cache/key.ts',
  'edge/cache/range.ts',
  'edge/cache/vary.ts',
  'agent/credential/credential.ts',
  'cli/join/unit.ts',
];

/** What pure code may import from outside: a module whole, or these names of it. */
const PURE_MODULES: Record<string, 'whole' | string[]> = {
  zod: 'whole',
  yaml: 'whole',
  'ipaddr.js': 'whole',
  'node:path': 'whole',
  'node:buffer': 'whole',
  'node:net': ['isIP', 'isIPv4', 'isIPv6'],
  // A certificate that is read is a value, and so is a key.
  'node:crypto': ['createHash', 'createPrivateKey', 'KeyObject', 'X509Certificate'],
  // Whether OpenSSL takes both, of values again.
  'node:tls': ['createSecureContext'],
  // Switches V8's linear engine for regular expressions on.
  'node:v8': ['setFlagsFromString'],
};

const IMPURE_CALL =
  /\b(?:(?:Date|performance)\.now|Math\.random|process\.\w+|console\.\w+|(?:set(?:Timeout|Interval|Immediate)|fetch)\(|new Date\(\s*\))/g;

const isTest = (path: string) => path.endsWith('.test.ts') || path.endsWith('/testdata.ts');
const files = new Map(
  sourceFiles('ts')
    .filter((path) => !isTest(path))
    .map((path) => [path, read(path)]),
);

/** The repository's file that an import leads to; nothing for a package. */
const target = (path: string, from: string) =>
  from.startsWith('.') ? posix.join(posix.dirname(path), from) : undefined;

const partOf = (path: string) => path.split('/')[0] ?? '';

function wrongWay(path: string, text: string): string[] {
  const allowed = MAY_IMPORT[partOf(path)];
  return importsOf(text)
    .map(({ from }) => target(path, from))
    .filter((to) => to !== undefined)
    .filter((to) => allowed && partOf(to) !== partOf(path) && !allowed.includes(partOf(to)))
    .map((to) => `${path} imports ${to}`);
}

function impurities(path: string, text: string): string[] {
  const modules = importsOf(text)
    .filter(({ from, typeOnly }) => !typeOnly && !from.startsWith('.'))
    .filter(({ from, names }) => {
      const known = PURE_MODULES[from];
      return known !== 'whole' && (names.length === 0 || !names.every((name) => known?.includes(name)));
    })
    .map(({ from }) => `${path} imports ${from}`);
  const calls = [...withoutComments(text).matchAll(IMPURE_CALL)].map(([call]) => `${path} uses ${call}`);
  return [...modules, ...calls];
}

/** A file and all that it needs when it runs. */
function reachable(start: string, sources: Map<string, string>): Set<string> {
  const seen = new Set([start]);
  for (const path of seen) {
    for (const { from, typeOnly } of importsOf(sources.get(path) ?? '')) {
      const to = target(path, from);
      if (to !== undefined && !typeOnly && sources.has(to)) seen.add(to);
    }
  }
  return seen;
}

function impureBelow(start: string, sources: Map<string, string>): string[] {
  return [...reachable(start, sources)].flatMap((path) => impurities(path, sources.get(path) ?? ''));
}

test('imports go one way', () => {
  expect([...files].flatMap(([path, text]) => wrongWay(path, text))).toEqual([]);
});

describe('does no I/O:', () => {
  test.each(PURE)('%s', (place) => {
    const inside = [...files.keys()].filter((path) => path.startsWith(place));
    expect(inside).not.toEqual([]);
    expect(inside.flatMap((path) => impureBelow(path, files))).toEqual([]);
  });
});

describe('a planted fault is found:', () => {
  test.each([
    ['lib/x.ts', "import { KINDS } from '../contract/kinds/kinds.ts';"],
    ['contract/kinds/x.ts', "import type { Agent } from '../../agent/agent.ts';"],
    ['operator/x.ts', "import { a } from '../agent/agent.ts';"],
    ['operator/decide/x.ts', "export * from '../../edge/headers.ts';"],
    ['edge/x.ts', "const x = await import('../dns-server/main.ts');"],
    ['dns-server/x.ts', "import {\n  a,\n  b,\n} from '../edge/headers.ts';"],
    ['agent/x.ts', "import '../cli/main.ts';"],
  ])('%s: %s', (path, text) => {
    expect(wrongWay(path, text)).toHaveLength(1);
  });

  test.each([
    "import { readFile } from 'node:fs/promises';",
    "import fs from 'node:fs';",
    "import * as net from 'node:net';",
    "import { isIP, connect } from 'node:net';",
    "import {\n  isIP,\n  createServer,\n} from 'node:net';",
    "import { randomUUID } from 'node:crypto';",
    "import { request as get } from 'undici';",
    "import pino from 'pino';",
    "const { readFile } = await import('node:fs/promises');",
    'const now = Date.now();',
    'const now = new Date();',
    'const chance = Math.random();',
    'const home = process.env.HOME;',
    'setTimeout(run, 5);',
    'const answer = await fetch(url);',
  ])('%s', (text) => {
    expect(impurities('x.ts', text)).toHaveLength(1);
  });

  test('also when it lies behind another file', () => {
    const planted = new Map([
      ['operator/decide/a.ts', "import { b } from '../../lib/b.ts';"],
      ['lib/b.ts', "import { c } from './c.ts';"],
      ['lib/c.ts', "import { readFileSync } from 'node:fs';"],
    ]);
    expect(impureBelow('operator/decide/a.ts', planted)).toEqual(['lib/c.ts imports node:fs']);
  });
});

describe('what is allowed is not blamed:', () => {
  test.each([
    ['edge/x.ts', "import { a } from '../agent/agent.ts';"],
    ['edge/cache/x.ts', "import { a } from '../headers.ts';"],
    ['test/x.ts', "import { a } from '../edge/headers.ts';"],
    ['lib/x.ts', "// import { a } from '../edge/headers.ts';"],
  ])('%s: %s', (path, text) => {
    expect(wrongWay(path, text)).toEqual([]);
  });

  test.each([
    "import type { Log } from 'pino';",
    "import { isIP } from 'node:net';",
    'const at = new Date(now).toISOString();',
    '// Date.now() is not for here',
    '/** Never process.env. */',
    "const text = 'Where edges fetch from.';",
  ])('%s', (text) => {
    expect(impurities('x.ts', text)).toEqual([]);
  });
});

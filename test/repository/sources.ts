/** For tests of the repository itself: its own text files, and what a TypeScript file imports. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** Folders of others, and of a running Weir. */
const NOT_OURS = /(^|\/)(node_modules|\.git|\.weir|dist|coverage)(\/|$)/;

/** Paths from the root, `/` between parts, for files with one of these endings. */
export function sourceFiles(...endings: string[]): string[] {
  const patterns = endings.flatMap((ending) => [`**/*.${ending}`, `.ci/**/*.${ending}`]);
  return globSync(patterns, { cwd: ROOT, exclude: (name) => NOT_OURS.test(String(name)) }).sort();
}

export const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

export interface Import {
  /** As it is written: `./x.ts`, `node:fs`, `zod`. */
  from: string;
  /** Erased before it runs. */
  typeOnly: boolean;
  /** Imported names; none for a namespace, a default or a dynamic import. */
  names: string[];
}

const STATIC = /^\s*(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*['"`]([^'"`]+)['"`]/g;

/** A regular expression is enough for how this repository is formatted; the test of it holds it to that. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const fixed = [...code.matchAll(STATIC)].map(([, type, clause = '', from = '']) => ({
    from,
    typeOnly: type !== undefined,
    names: namesIn(clause),
  }));
  const dynamic = [...code.matchAll(DYNAMIC)].map(([, from = '']) => ({ from, typeOnly: false, names: [] }));
  return [...fixed, ...dynamic];
}

function namesIn(clause: string): string[] {
  const [, inBraces] = /^\{(.*)\}$/s.exec(clause.trim()) ?? [];
  return (inBraces ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(' as ')[0] ?? name);
}

/** `//` behind anything but a blank is part of a URL. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

/** A domain's cache rules, compiled once per plan. The first that matches a path wins. Pure. */
import type { EdgeRule } from '../../contract/plans/edge-plan.ts';
import { compileGlob } from './glob.ts';

export interface CompiledRule {
  /** Its place in the list, from 1; 0 is the rule that holds where none matches. */
  number: number;
  rule: EdgeRule;
  matches: (path: string) => boolean;
}

/** Where no rule matches, the origin's headers rule. */
const NO_RULE: CompiledRule = {
  number: 0,
  rule: { match: {}, bypass: false, query: { mode: 'Keep', names: [] } },
  matches: () => true,
};

export function compileRules(rules: readonly EdgeRule[]): CompiledRule[] {
  return rules.map((rule, index) => ({ number: index + 1, rule, matches: matcher(rule.match) }));
}

/** `path` is in normal form. */
export function ruleFor(rules: readonly CompiledRule[], path: string): CompiledRule {
  return rules.find(({ matches }) => matches(path)) ?? NO_RULE;
}

/** All given parts must match; none given matches every path. */
function matcher({ pathPrefix, glob, extensions }: EdgeRule['match']): (path: string) => boolean {
  const tests: ((path: string) => boolean)[] = [];
  if (pathPrefix !== undefined) tests.push((path) => path.startsWith(pathPrefix));
  if (glob !== undefined) tests.push(compileGlob(glob));
  if (extensions !== undefined) {
    const known = new Set(extensions);
    tests.push((path) => known.has(extensionOf(path)));
  }
  return (path) => tests.every((test) => test(path));
}

function extensionOf(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const dot = file.lastIndexOf('.');
  return dot < 0 ? '' : file.slice(dot + 1).toLowerCase();
}

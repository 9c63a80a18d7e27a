/**
 * Glob patterns of cache rules: `*` stands for any characters but `/`, `**` for any, `?` for one that is not `/`. Pure.
 *
 * Not by RegExp: tenants write the patterns and strangers the paths, and a backtracking matcher can be kept busy for
 * minutes by the two together. This one follows all possibilities at once: at most pattern times path steps.
 */
type Token = { kind: 'literal'; text: string } | { kind: 'one' | 'segment' | 'any' };

export function compileGlob(glob: string): (path: string) => boolean {
  const tokens = tokensOf(glob);
  return (path) => {
    let states = withSkips(tokens, new Set([0]));
    for (const character of path) {
      states = withSkips(tokens, step(tokens, states, character));
      if (states.size === 0) return false;
    }
    return states.has(tokens.length);
  };
}

function tokensOf(glob: string): Token[] {
  return [...glob.matchAll(/\*\*+|./gs)].map(([part]): Token => {
    if (part.startsWith('**')) return { kind: 'any' };
    if (part === '*') return { kind: 'segment' };
    return part === '?' ? { kind: 'one' } : { kind: 'literal', text: part };
  });
}

/** Stars may stand for nothing, so what follows them may come at once. */
function withSkips(tokens: readonly Token[], states: Set<number>): Set<number> {
  // A Set that grows while it is walked walks on.
  for (const state of states) {
    const kind = tokens[state]?.kind;
    if (kind === 'any' || kind === 'segment') states.add(state + 1);
  }
  return states;
}

function step(tokens: readonly Token[], states: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>();
  for (const state of states) {
    const token = tokens[state];
    if (token?.kind === 'any' || (token?.kind === 'segment' && character !== '/')) next.add(state);
    else if (
      token?.kind === 'one' ? character !== '/' : token?.kind === 'literal' && token.text === character
    ) {
      next.add(state + 1);
    }
  }
  return next;
}

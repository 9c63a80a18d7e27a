/** Cache-Control as RFC 9111 5.2 has it. Pure. Where a field is malformed or contradicts itself, the strict reading wins. */
import { textMemo } from '../../lib/text-memo.ts';

/** Directive names in lower case; the values of repeated ones are all kept. */
export type Directives = ReadonlyMap<string, readonly string[]>;

export const NO_DIRECTIVES: Directives = new Map();

/** A list's members: commas inside of quotes do not count, and a quote that is never closed takes in all that follows. */
const MEMBER = /(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|$))+/gs;
const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
/** token [ "=" ( token / quoted-string ) ] (RFC 9111 5.2). */
const DIRECTIVE = new RegExp(`^\\s*(${TOKEN})(?:=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?\\s*$`, 's');
const QUOTED = /"(?:[^"\\]|\\.)*"/gs;
const WORDS = new RegExp(TOKEN, 'g');

export function parseCacheControl(value: string | undefined): Directives {
  return value === undefined || value === '' ? NO_DIRECTIVES : directivesOf(value);
}

const directivesOf = textMemo((value): Directives => {
  const directives = new Map<string, string[]>();
  const add = (name: string, argument: string) => {
    const key = name.toLowerCase();
    directives.set(key, [...(directives.get(key) ?? []), argument]);
  };
  for (const [member] of value.matchAll(MEMBER)) {
    const [, name, token, quoted] = DIRECTIVE.exec(member) ?? [];
    if (name !== undefined) add(name, token ?? quoted?.replace(/\\(.)/gs, '$1') ?? '');
    // Of what is malformed each word counts that could forbid something, behind a quote that is never closed, too; none
    // has a value.
    else for (const [word] of member.replace(QUOTED, ' ').matchAll(WORDS)) add(word, '');
  }
  return directives;
});

/** Caches hold times up to here for infinity (RFC 9111 1.2.2). */
const MAX_SECONDS = 2 ** 31;

/**
 * delta-seconds of a directive. Of several the smallest counts, and one that is no number is 0: RFC 9111 4.2.1 has
 * caches treat freshness information that is invalid or in conflict as stale.
 */
export function seconds(directives: Directives, name: string): number | undefined {
  const values = directives.get(name);
  if (values === undefined) return undefined;
  return Math.min(...values.map((text) => (/^\d+$/.test(text) ? Math.min(Number(text), MAX_SECONDS) : 0)));
}

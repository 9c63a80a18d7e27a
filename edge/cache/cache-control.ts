/** Cache-Control as RFC 9111 5.2 has it. Pure. Where a field is malformed or contradicts itself, the strict reading wins. */

/** Directive names in lower case; the values of repeated ones are all kept. */
export type Directives = ReadonlyMap<string, readonly string[]>;

export const NO_DIRECTIVES: Directives = new Map();

/** token [ "=" ( token / quoted-string ) ], comma-separated (RFC 9111 5.2). */
const DIRECTIVE = /([^\s,;="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;

export function parseCacheControl(value: string | undefined): Directives {
  if (value === undefined || value === '') return NO_DIRECTIVES;
  const directives = new Map<string, string[]>();
  for (const [, name = '', quoted, token] of value.matchAll(DIRECTIVE)) {
    const key = name.toLowerCase();
    const argument = quoted?.replace(/\\(.)/g, '$1') ?? token ?? '';
    directives.set(key, [...(directives.get(key) ?? []), argument]);
  }
  return directives;
}

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

/**
 * CDN-Cache-Control (RFC 9213): a structured dictionary, which counts instead of Cache-Control and Expires when it
 * parses. One that does not parse is ignored (RFC 9213 2.2).
 */
export function parseTargeted(value: string | undefined): Directives | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  const directives = new Map<string, string[]>();
  for (const member of value.split(',')) {
    const [, key, argument] = TARGETED_MEMBER.exec(member) ?? [];
    if (key === undefined || argument === '?0') {
      if (key === undefined) return undefined;
      continue;
    }
    if (key.includes('age') && !/^\d+$/.test(argument ?? '')) return undefined;
    // Of a repeated key the last one counts (RFC 9651 3.2).
    directives.set(key, [argument ?? '']);
  }
  return directives;
}

/** key [ "=" ( integer / token / string / boolean ) ] with parameters, which mean nothing here. */
const TARGETED_MEMBER =
  /^\s*([a-z*][a-z0-9_.*-]*)(?:=(-?\d+|\?[01]|"[^"]*"|[A-Za-z*][^\s;,"]*))?(?:;[^,"]*)?\s*$/;

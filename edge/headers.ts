/** Header fields as the edge handles them between its two sides: a list, names in lower case, repeats kept apart. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** All values of a field as one (RFC 9110 5.2), or nothing when it is absent. */
export function field(headers: Headers, name: string): string | undefined {
  let found: string | undefined;
  for (const [key, value] of headers) {
    if (key === name) found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}

export function without(headers: Headers, names: ReadonlySet<string>): Headers {
  return headers.filter(([name]) => !names.has(name));
}

/** RFC 9110 7.6.1, with the older names that some software still sends. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a proxy may pass on: without the hop-by-hop fields and those that Connection names (RFC 9110 7.6.1). */
export function endToEnd(headers: Headers): Headers {
  const named = listItems(field(headers, 'connection'));
  // A peer could name these to hide them from the next hop; they are never connection-specific.
  const kept = new Set(['cache-control', 'host', 'content-length', 'authorization', 'age', 'date', 'vary']);
  return headers.filter(([name]) => !HOP_BY_HOP.has(name) && !(named.has(name) && !kept.has(name)));
}

/** The items of a comma-separated field, in lower case. */
export function listItems(value: string | undefined): Set<string> {
  if (value === undefined) return new Set();
  return new Set(
    value
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== ''),
  );
}

/** From Node's `[name, value, name, value …]`. */
export function fromRaw(raw: readonly string[]): Headers {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers.push([(raw[index] ?? '').toLowerCase(), raw[index + 1] ?? '']);
  }
  return headers;
}

/** To Node's `[name, value, name, value …]`. */
export function toRaw(headers: Headers): string[] {
  return headers.flat();
}

/** `Name: value` to name and value; nothing where it is no field. */
export function headerOf(line: string): string[] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*?)\s*$/.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [name, value];
}

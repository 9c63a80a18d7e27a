/** The queries of a comparison: read from a log, or made up. Pure. */
import { clientFromText } from '../../dns-server/answer/client.ts';
import type { AskedQuery } from '../../dns-server/compare-plans.ts';

/**
 * A line has a client and a name, in either order, and may have a type (A, AAAA) and how often it was asked:
 * `202.102.224.0/24 video.example.com A 17`. Fields stand apart by blanks, tabs or commas; `#` begins a comment.
 */
export function parseQueries(text: string): { queries: AskedQuery[]; faults: string[] } {
  const queries: AskedQuery[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const fields = (line.split('#')[0] ?? '').split(/[\s,]+/).filter((field) => field !== '');
    if (fields.length === 0) continue;
    const query = queryOf(fields);
    if (typeof query === 'string') faults.push(`line ${index + 1}: ${query}`);
    else queries.push(query);
  }
  return { queries, faults };
}

function queryOf([first = '', second = '', ...rest]: string[]): AskedQuery | string {
  const client = clientFromText(first) ?? clientFromText(second);
  if (client === undefined) return `${first} ${second}: no client’s address or network`;
  const name = (clientFromText(first) ? second : first).toLowerCase().replace(/\.$/, '');
  if (name === '') return 'no name';
  const type = rest.find((field) => !/^\d+$/.test(field)) ?? 'A';
  if (type !== 'A' && type !== 'AAAA') return `${type}: A or AAAA, since other types have no nodes`;
  const count = Number(rest.find((field) => /^\d+$/.test(field)) ?? 1);
  return { name, client, family: type === 'A' ? 4 : 6, count };
}

/** First bytes of the Internet's unicast addresses: 0, 10, 127 and 224 and above are nobody's. */
const FIRST_BYTES = Array.from({ length: 223 }, (_, at) => at + 1).filter(
  (byte) => byte !== 10 && byte !== 127,
);

/** IPv4 clients of all the Internet, for each name in turn; the same ones each time. */
export function madeUpQueries(names: readonly string[], count: number): AskedQuery[] {
  let state = 1;
  // A linear congruential generator (Numerical Recipes): its upper bits are good enough to spread addresses.
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  return Array.from({ length: count }, (_, index): AskedQuery => {
    const first = FIRST_BYTES[next() % FIRST_BYTES.length] ?? 1;
    const bytes = Uint8Array.of(first, next() & 255, next() & 255, 0);
    const client = { address: { version: 4, bytes }, offset: 0, anonymous: false } as const;
    return { name: names[index % names.length] ?? '', client, family: 4, count: 1 };
  });
}

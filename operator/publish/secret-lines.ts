/**
 * Secrets as the lines that go out: the values that an agent has not got, and the names of those that go. What changed
 * between two sets is made into lines once, however many agents it goes to.
 *
 * Ten thousand certificates on a thousand edges: one that is renewed is one value to those that need it, and an agent
 * that comes back with what it had is sent nothing.
 */
import { type AgentSecret, secretSetDigest } from '../../contract/stream/agent-secret.ts';
import { ndjsonLine } from '../../lib/ndjson.ts';

/** A line stays some megabytes long at most: a peer reads it whole. */
const VALUES_PER_LINE = 200;
/** Sets that agents may come back with; they share their secrets, so that each costs a list of pointers. */
const REMEMBERED = 32;

/** By name, sorted. */
export interface SecretSet {
  digest: string;
  secrets: ReadonlyMap<string, AgentSecret>;
}

export const secretSet = (secrets: Iterable<AgentSecret>): SecretSet => {
  const rows = [...secrets].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { digest: secretSetDigest(rows), secrets: new Map(rows.map((row) => [row.name, row] as const)) };
};

export const NO_SECRETS = secretSet([]);

export class SecretLines {
  /** By digest, oldest first. */
  readonly #known = new Map<string, SecretSet>([[NO_SECRETS.digest, NO_SECRETS]]);
  readonly #lines = new WeakMap<SecretSet, Map<string, readonly Buffer[]>>();

  /** What makes this set of the one with the digest `held`. */
  linesFor(set: SecretSet, held: string, heldSet = this.#known.get(held)): readonly Buffer[] {
    this.#remember(set);
    if (held === set.digest) return [];
    const made = this.#lines.get(set) ?? new Map<string, readonly Buffer[]>();
    this.#lines.set(set, made);
    const key = heldSet ? held : '';
    const lines = made.get(key) ?? linesBetween(heldSet, set);
    made.set(key, lines);
    return lines;
  }

  #remember(set: SecretSet): void {
    this.#known.delete(set.digest);
    this.#known.set(set.digest, set);
    const oldest = [...this.#known.keys()].find((digest) => digest !== NO_SECRETS.digest);
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }
}

function linesBetween(before: SecretSet | undefined, { digest, secrets }: SecretSet): Buffer[] {
  const set = [...secrets.values()].filter(
    ({ name, digest: own }) => before?.secrets.get(name)?.digest !== own,
  );
  const gone = [...(before?.secrets.keys() ?? [])].filter((name) => !secrets.has(name));
  const parts: AgentSecret[][] = [];
  for (let at = 0; at < set.length; at += VALUES_PER_LINE) parts.push(set.slice(at, at + VALUES_PER_LINE));
  const last = parts.pop() ?? [];
  const start = before && { base: before.digest };
  const lines = parts.map((part) => ({ type: 'secrets', ...start, set: part, gone: [] }));
  const end = { type: 'secrets', ...start, set: last, gone, digest };
  return [...lines, end].map((message) => Buffer.from(ndjsonLine(message)));
}

/**
 * Where the operator is: one of the addresses that were configured, or where one of its replicas said that the leader
 * is. The configured ones are what counts: whoever is sent to an address that does not answer comes back to them.
 */
import { request } from 'undici';

/** Leader to leader, when the lead passes in this very moment; more would be replicas that send us in a circle. */
const MAX_HOPS = 3;
/**
 * Behind one address may be all replicas, of which only the leader takes us, and the address by which they know the
 * leader may be none for us: an edge outside the cluster, a Service before two replicas. Each connection is another
 * draw; with two replicas one agent in a thousand has to wait for its next attempt.
 */
const MAX_DRAWS = 10;
/** Networks change: an address that was out of reach is tried again after this. */
const UNREACHABLE_MS = 10 * 60_000;
const NOBODY_THERE = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** URLs separated by commas, without their paths; nothing when one of them is none. */
export function operatorUrls(text: string): string[] | undefined {
  const parsed = text.split(',').map((url) => URL.parse(url.trim()));
  const origins = parsed.flatMap((url) => (url && /^https?:$/.test(url.protocol) ? [url.origin] : []));
  return origins.length === parsed.length ? origins : undefined;
}

type RequestOptions = Parameters<typeof request>[1];
type Response = Awaited<ReturnType<typeof request>>;

export class Whereabouts {
  readonly #configured: readonly string[];
  /** The one whose turn it is. A random one begins, so that agents spread over replicas. */
  #turn: number;
  readonly #first: number;
  #leader: string | undefined;
  /** Leaders that were said to be there, and until when they are not tried again. */
  readonly #unreachable = new Map<string, number>();

  /** URLs without a path, separated by commas. */
  constructor(operators: string) {
    this.#configured = operators.split(',').map((url) => url.trim());
    this.#first = Math.floor(Math.random() * this.#configured.length);
    this.#turn = this.#first;
  }

  current(): string {
    return this.#leader ?? this.#configured[this.#turn % this.#configured.length] ?? '';
  }

  /** The stream ended, or nobody answers: another may. Returns whether all have had their turn. */
  lost(): boolean {
    this.#leader = undefined;
    this.#turn += 1;
    return (this.#turn - this.#first) % this.#configured.length === 0;
  }

  /** A request to the operator; where a replica answers with the leader's address, to that one and from now on. */
  async ask(path: string, options: RequestOptions): Promise<Response> {
    let draws = 0;
    for (let hops = 0; hops < MAX_HOPS && draws < MAX_DRAWS; ) {
      const response = await this.#request(path, options);
      if (response === undefined) continue;
      const { location } = response.headers;
      // The credential goes along: whom we trust with it trusts that one.
      if (response.statusCode !== 307 || typeof location !== 'string') return response;
      await response.body.dump();
      const leader = leaderAt(location, this.current());
      if (this.#isUnreachable(leader)) {
        draws += 1;
        // The next attempt asks it again: it may have been away for a moment.
        if (draws === MAX_DRAWS) this.#unreachable.delete(leader);
      } else {
        hops += 1;
        this.#leader = leader;
      }
    }
    throw new Error(
      draws < MAX_DRAWS
        ? `replicas of the operator send each other’s agents in a circle, at last to ${this.current()}`
        : `${this.current()} sends us to a leader that is not reached from here; is its --advertise an address for us?`,
    );
  }

  /** Nothing where the leader is said to be, but not for us: then the configured address it is again. */
  async #request(path: string, options: RequestOptions): Promise<Response | undefined> {
    const leader = this.#leader;
    try {
      return await request(`${this.current()}${path}`, options);
    } catch (error) {
      if (leader === undefined || !isNobodyThere(error)) throw error;
      this.#unreachable.set(leader, performance.now() + UNREACHABLE_MS);
      this.#leader = undefined;
      return undefined;
    }
  }

  #isUnreachable(leader: string): boolean {
    return (this.#unreachable.get(leader) ?? 0) > performance.now();
  }
}

const isNobodyThere = (error: unknown) =>
  error instanceof Error && 'code' in error && NOBODY_THERE.has(String(error.code));

function leaderAt(location: string, from: string): string {
  const { origin, protocol } = new URL(location, from);
  if (from.startsWith('https:') && protocol !== 'https:')
    throw new Error(`${from} sends us to ${origin}, which has no TLS`);
  return origin;
}

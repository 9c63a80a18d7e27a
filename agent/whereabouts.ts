/**
 * Where the operator is: one of the addresses that were configured, or where one of its replicas said that the leader
 * is. The configured ones are what counts: whoever is sent to an address that does not answer comes back to them.
 */
import { request } from 'undici';

/** Leader to leader, when the lead passes in this very moment; more would be replicas that send us in a circle. */
const MAX_HOPS = 3;

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
  #leader: string | undefined;

  /** URLs without a path, separated by commas. */
  constructor(operators: string, random: () => number = Math.random) {
    this.#configured = operators.split(',').map((url) => url.trim());
    this.#turn = Math.floor(random() * this.#configured.length);
  }

  current(): string {
    return this.#leader ?? this.#configured[this.#turn % this.#configured.length] ?? '';
  }

  /** The stream ended, or nobody answers: another may. */
  lost(): void {
    this.#leader = undefined;
    this.#turn += 1;
  }

  /** A request to the operator; where a replica answers with the leader's address, to that one and from now on. */
  async ask(path: string, options: RequestOptions): Promise<Response> {
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const response = await request(`${this.current()}${path}`, options);
      const { location } = response.headers;
      // The credential goes along: whom we trust with it trusts that one.
      if (response.statusCode !== 307 || typeof location !== 'string') return response;
      await response.body.dump();
      this.#leader = leaderAt(location, this.current());
    }
    throw new Error(
      `replicas of the operator send each other’s agents in a circle, at last to ${this.current()}`,
    );
  }
}

function leaderAt(location: string, from: string): string {
  const { origin, protocol } = new URL(location, from);
  if (from.startsWith('https:') && protocol !== 'https:')
    throw new Error(`${from} sends us to ${origin}, which has no TLS`);
  return origin;
}

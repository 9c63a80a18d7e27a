/**
 * Load from clients that do what they should: each asks DNS with the network that it is in, keeps the answer for its
 * TTL and no longer, and fetches over a connection that it keeps. What goes wrong is counted and told, query by query
 * and request by request; nothing is tried twice.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'undici';
import { ask } from '../system/client.ts';
import { DNS_ADDRESS } from './client.ts';

const HOST = 'video.example.com';
/** Between two requests of one client. */
const BREATH_MS = 20;
const REQUEST_WITHIN_MS = 10_000;

export interface Tally {
  queries: number;
  requests: number;
  /** How many requests each address got. */
  served: Record<string, number>;
  /** Each with its time, so that it is found in the logs. */
  failures: string[];
}

export interface Load {
  tally: Tally;
  /** Lets what is under way end. */
  stop(): Promise<void>;
}

interface Answer {
  addresses: string[];
  /** By this process's clock. */
  expires: number;
}

/** `subnets`: one client in each. */
export function startLoad(name: string, subnets: readonly string[], paths: readonly string[]): Load {
  const tally: Tally = { queries: 0, requests: 0, served: {}, failures: [] };
  const stopping = new AbortController();
  const clients = subnets.map((subnet) => new LoadClient(name, subnet, tally));
  const runs = clients.map((client) => client.run(paths, stopping.signal));
  return {
    tally,
    async stop() {
      stopping.abort();
      await Promise.all(runs);
    },
  };
}

class LoadClient {
  readonly #name: string;
  readonly #network: string;
  readonly #tally: Tally;
  #answer: Answer | undefined;
  #connection: { address: string; client: Client } | undefined;

  constructor(name: string, subnet: string, tally: Tally) {
    this.#name = name;
    this.#network = subnet.replace(/\/.*/, '');
    this.#tally = tally;
  }

  async run(paths: readonly string[], stopping: AbortSignal): Promise<void> {
    for (let turn = 0; !stopping.aborted; turn++) {
      const address = await this.#resolve();
      if (address !== undefined) await this.#fetch(address, paths[turn % paths.length] ?? '/');
      await pause(BREATH_MS);
    }
    await this.#connection?.client.close();
  }

  /** The kept answer while it lives: the first address, as simple clients do. */
  async #resolve(): Promise<string | undefined> {
    if (!this.#answer || Date.now() >= this.#answer.expires) this.#answer = await this.#query();
    return this.#answer?.addresses[0];
  }

  async #query(): Promise<Answer | undefined> {
    this.#tally.queries++;
    const what = `${this.#network} asks for ${this.#name}`;
    try {
      const { answers = [], ...packet } = await ask(
        { host: DNS_ADDRESS, port: 53 },
        this.#name,
        this.#network,
      );
      const rows = answers.flatMap((row) => (row.type === 'A' ? [row] : []));
      const [first] = rows;
      if (first) {
        return {
          addresses: rows.map(({ data }) => data),
          expires: Date.now() + (first.ttl ?? 0) * 1_000,
        };
      }
      this.#failed(what, `no address: ${JSON.stringify(packet)}`);
    } catch (error) {
      this.#failed(what, error);
    }
    return undefined;
  }

  async #fetch(address: string, path: string): Promise<void> {
    this.#tally.requests++;
    const what = `${this.#network} gets ${path} from ${address}`;
    try {
      const { statusCode, body } = await this.#connected(address).request({
        method: 'GET',
        path,
        headers: { host: HOST },
      });
      const text = await body.text();
      if (statusCode !== 200) this.#failed(what, statusCode);
      else if (text !== `${path}\n`) this.#failed(what, `${text.length} bytes of something else`);
      this.#tally.served[address] = (this.#tally.served[address] ?? 0) + 1;
    } catch (error) {
      this.#failed(what, error);
    }
  }

  #connected(address: string): Client {
    if (this.#connection?.address !== address) {
      void this.#connection?.client.close();
      const timeouts = { headersTimeout: REQUEST_WITHIN_MS, bodyTimeout: REQUEST_WITHIN_MS };
      this.#connection = { address, client: new Client(`http://${address}`, timeouts) };
    }
    return this.#connection.client;
  }

  #failed(what: string, why: unknown): void {
    this.#tally.failures.push(`${new Date().toISOString()} ${what}: ${String(why)}`);
  }
}

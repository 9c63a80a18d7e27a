/**
 * The secrets that an agent holds: files of mode 0600 in its own folder, so that it starts with no operator, or in memory
 * alone. What comes down the stream says which are new and which go.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { type AgentSecret, secretDigest, secretSetDigest } from '../contract/stream/agent-secret.ts';
import type { SecretsMessage } from '../contract/stream/messages.ts';
import { isMissing, readFileIfThere, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import type { Log } from '../lib/log.ts';

interface HeldSecretsOptions {
  /** The agent's own. */
  folder: string;
  secretsInMemory?: boolean;
  onSecrets?: (values: ReadonlyMap<string, string>) => void;
  log: Log;
}

/** What came of one change so far. */
interface Change {
  base: string | undefined;
  set: Map<string, AgentSecret>;
  gone: Set<string>;
}

type Values = ReadonlyMap<string, string>;

export class HeldSecrets {
  readonly #folder: string;
  readonly #inMemory: boolean;
  readonly #log: Log;
  readonly #onSecrets: (values: Values) => void;
  #taking: Promise<void> = Promise.resolve();
  #change: Change | undefined;
  #held: Values = new Map();
  /** Of each, as it is held. */
  #digests: ReadonlyMap<string, string> = new Map();

  constructor({ folder, secretsInMemory = false, onSecrets = () => {}, log }: HeldSecretsOptions) {
    this.#folder = join(folder, AGENT_FILES.secrets);
    this.#inMemory = secretsInMemory;
    this.#log = log;
    this.#onSecrets = onSecrets;
  }

  async load(): Promise<void> {
    try {
      // From when they might lie there.
      if (this.#inMemory) await rm(this.#folder, { recursive: true, force: true });
      else this.#hold(await this.#read());
    } catch (error) {
      this.#log.error({ err: error }, 'secrets on disk are not usable; starting without them');
    }
    if (this.#held.size > 0) this.#onSecrets(this.#held);
  }

  /** Of all that is held, once what came is taken; a change of which only a part came is forgotten: a new stream begins. */
  async digest(): Promise<string> {
    await this.#taking;
    this.#change = undefined;
    return digestOf(this.#digests);
  }

  /** `mismatch`: it does not lead from what is held to what was announced; a new stream begins with what is held. */
  offer(message: SecretsMessage, mismatch: () => void): void {
    const change = this.#change ?? { base: message.base, set: new Map(), gone: new Set() };
    this.#change = change;
    for (const secret of message.set) change.set.set(secret.name, secret);
    for (const name of message.gone) change.gone.add(name);
    const { digest } = message;
    if (digest === undefined) return;
    this.#change = undefined;
    this.#taking = this.#taking.then(() => this.#take(change, digest, mismatch));
  }

  idle(): Promise<void> {
    return this.#taking;
  }

  async #take({ base, set, gone }: Change, digest: string, mismatch: () => void): Promise<void> {
    const digests = new Map(base === undefined ? [] : this.#digests);
    for (const name of gone) digests.delete(name);
    for (const [name, { value }] of set) digests.set(name, secretDigest(value));
    if (digestOf(digests) !== digest) {
      const names = [...set.values()].filter(isBroken).map(({ name }) => name);
      this.#log.error({ names }, 'secrets differ from their digests; keeping those held');
      return mismatch();
    }
    const before = this.#held;
    const values = new Map(base === undefined ? [] : before);
    for (const [name, { value }] of set) values.set(name, value);
    for (const name of gone) values.delete(name);
    const changed = [...values].filter(([name, value]) => before.get(name) !== value);
    if (changed.length === 0 && values.size === before.size) return;
    try {
      if (!this.#inMemory) await this.#write(before, values);
    } catch (error) {
      this.#log.error({ err: error }, 'secrets are not written; they are in force until a restart');
    }
    this.#held = values;
    this.#digests = digests;
    this.#onSecrets(values);
    const names = changed.map(([name]) => name).slice(0, NAMES_SHOWN);
    this.#log.info({ names, changed: changed.length, held: values.size }, 'secrets in force');
  }

  #hold(values: Values): void {
    this.#held = values;
    this.#digests = new Map([...values].map(([name, value]) => [name, secretDigest(value)] as const));
  }

  async #read(): Promise<Map<string, string>> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    // A crash may have left a file that was being written.
    const whole = names.filter((name) => !name.endsWith('.tmp')).sort();
    const rows = await Promise.all(
      whole.map(async (name) => [name, (await readFileIfThere(join(this.#folder, name))) ?? ''] as const),
    );
    return new Map(rows);
  }

  async #write(before: Values, values: Values): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const [name, value] of values) {
      if (before.get(name) !== value) await writeFileAtomic(join(this.#folder, name), value, 0o600);
    }
    for (const name of before.keys()) if (!values.has(name)) await removeFile(join(this.#folder, name));
  }
}

const isBroken = ({ value, digest }: AgentSecret) => secretDigest(value) !== digest;

/** In a line of the log. */
const NAMES_SHOWN = 20;

const digestOf = (digests: Values) =>
  secretSetDigest([...digests].map(([name, digest]) => ({ name, digest })));

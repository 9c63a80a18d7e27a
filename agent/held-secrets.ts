/**
 * The secrets that an agent holds: files of mode 0600 in its own folder, so that it starts with no operator, or in memory
 * alone. What comes down the stream says which are new and which go. One that goes stays for as long as what is served may
 * need it: only who serves knows that, an operator that has just begun does not.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { type AgentSecret, secretDigest, secretSetDigest } from '../contract/stream/agent-secret.ts';
import type { SecretsMessage } from '../contract/stream/messages.ts';
import { isMissing, readFileIfThere, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

interface HeldSecretsOptions {
  /** The agent's own. */
  folder: string;
  secretsInMemory?: boolean;
  secretsLingerMs?: () => number;
  onSecrets?: (values: ReadonlyMap<string, string>) => void;
  clock?: Clock;
  log: Log;
}

/** One that goes. */
interface Leaving {
  value: string;
  /** Milliseconds since the epoch. */
  until: number;
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
  readonly #lingerMs: () => number;
  readonly #clock: Clock;
  #taking: Promise<void> = Promise.resolve();
  #change: Change | undefined;
  /** As the operator has it. */
  #held: Values = new Map();
  /** Of each, as it is held. */
  #digests: ReadonlyMap<string, string> = new Map();
  /** Those that go, beside them. */
  #leaving: ReadonlyMap<string, Leaving> = new Map();
  #cancelTimer = () => {};

  constructor({
    folder,
    secretsInMemory = false,
    secretsLingerMs = () => 0,
    onSecrets = () => {},
    clock = systemClock,
    log,
  }: HeldSecretsOptions) {
    this.#folder = join(folder, AGENT_FILES.secrets);
    this.#inMemory = secretsInMemory;
    this.#lingerMs = secretsLingerMs;
    this.#clock = clock;
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

  /** What goes stays where it lies; the next start begins with it. */
  async stop(): Promise<void> {
    this.#cancelTimer();
    await this.#taking;
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
    const values = new Map(base === undefined ? [] : this.#held);
    for (const [name, { value }] of set) values.set(name, value);
    for (const name of gone) values.delete(name);
    const before = this.#all();
    const until = this.#clock.now() + this.#lingerMs();
    const leaving = new Map([...this.#leaving].filter(([name]) => !values.has(name)));
    for (const [name, value] of this.#held) if (!values.has(name)) leaving.set(name, { value, until });
    this.#held = values;
    this.#digests = digests;
    this.#leaving = leaving;
    await this.#putInForce(before);
  }

  /** What is held and what goes, apart from what is gone by now. */
  async #putInForce(before: Values): Promise<void> {
    const now = this.#clock.now();
    this.#leaving = new Map([...this.#leaving].filter(([, { until }]) => until > now));
    this.#awaitNext(now);
    const all = this.#all();
    const changed = [...all].filter(([name, value]) => before.get(name) !== value);
    if (changed.length === 0 && all.size === before.size) return;
    try {
      if (!this.#inMemory) await this.#write(before, all);
    } catch (error) {
      this.#log.error({ err: error }, 'secrets are not written; they are in force until a restart');
    }
    this.#onSecrets(all);
    const names = changed.map(([name]) => name).slice(0, NAMES_SHOWN);
    const counts = { changed: changed.length, held: this.#held.size, leaving: this.#leaving.size };
    this.#log.info({ names, ...counts }, 'secrets in force');
  }

  #all(): Values {
    if (this.#leaving.size === 0) return this.#held;
    return new Map([...[...this.#leaving].map(([name, { value }]) => [name, value] as const), ...this.#held]);
  }

  #awaitNext(now: number): void {
    this.#cancelTimer();
    const next = Math.min(...[...this.#leaving.values()].map(({ until }) => until));
    if (this.#leaving.size === 0) return;
    // Node's timers hold 2^31 ms at most; a longer wait is taken up again when that has passed.
    this.#cancelTimer = this.#clock.after(Math.min(next - now, 2 ** 31 - 1), () => {
      this.#taking = this.#taking.then(() => this.#putInForce(this.#all()));
    });
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

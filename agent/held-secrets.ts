/**
 * The secrets that an agent holds: files of mode 0600 in its own folder, so that it starts with no operator. What comes
 * down the stream is all that it is to hold.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { type AgentSecret, secretDigest } from '../contract/stream/agent-secret.ts';
import { isMissing, readFileIfThere, removeFile, writeFileAtomic } from '../lib/atomic-file.ts';
import { type Latest, latest } from '../lib/latest.ts';
import type { Log } from '../lib/log.ts';

interface HeldSecretsOptions {
  /** The agent's own. */
  folder: string;
  onSecrets?: (values: ReadonlyMap<string, string>) => void;
  log: Log;
}

export class HeldSecrets {
  readonly #folder: string;
  readonly #log: Log;
  readonly #onSecrets: (values: ReadonlyMap<string, string>) => void;
  readonly #taking: Latest<readonly AgentSecret[]>;
  #held: ReadonlyMap<string, string> = new Map();

  constructor({ folder, onSecrets = () => {}, log }: HeldSecretsOptions) {
    this.#folder = join(folder, AGENT_FILES.secrets);
    this.#log = log;
    this.#onSecrets = onSecrets;
    this.#taking = latest((secrets) => this.#take(secrets));
  }

  async load(): Promise<void> {
    try {
      this.#held = await this.#read();
    } catch (error) {
      this.#log.error({ err: error }, 'secrets on disk are not usable; starting without them');
    }
    if (this.#held.size > 0) this.#onSecrets(this.#held);
  }

  offer(secrets: readonly AgentSecret[]): void {
    this.#taking.offer(secrets);
  }

  idle(): Promise<void> {
    return this.#taking.idle();
  }

  async #take(secrets: readonly AgentSecret[]): Promise<void> {
    const broken = secrets.filter(({ value, digest }) => secretDigest(value) !== digest);
    if (broken.length > 0) {
      const names = broken.map(({ name }) => name);
      this.#log.error({ names }, 'secrets differ from their digests; keeping those held');
      return;
    }
    const before = this.#held;
    const values = new Map(secrets.map(({ name, value }) => [name, value] as const));
    const isSame =
      values.size === before.size && [...values].every(([name, text]) => before.get(name) === text);
    if (isSame) return;
    try {
      await this.#write(before, values);
    } catch (error) {
      this.#log.error({ err: error }, 'secrets are not written; they are in force until a restart');
    }
    this.#held = values;
    this.#onSecrets(values);
    this.#log.info({ names: [...values.keys()] }, 'secrets in force');
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

  async #write(before: ReadonlyMap<string, string>, values: ReadonlyMap<string, string>): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const [name, value] of values) {
      if (before.get(name) !== value) await writeFileAtomic(join(this.#folder, name), value, 0o600);
    }
    for (const name of before.keys()) if (!values.has(name)) await removeFile(join(this.#folder, name));
  }
}

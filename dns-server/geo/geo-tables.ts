/**
 * The geo tables in force and how they come about: compiled in a thread of their own when rules or files change, so that
 * no query waits for it. A file that changed and can not be read changes nothing: the tables from before stay.
 */
import { Worker } from 'node:worker_threads';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import { codeFile } from '../../lib/code-files.ts';
import type { Log } from '../../lib/log.ts';
import type { CompiledGeo } from './compile.ts';
import { type GeoFiles, stampOf } from './geo-files.ts';
import type { GeoRules } from './geo-sources.ts';
import type { GeoJob, GeoOutcome } from './geo-worker.ts';

/** How often files are looked at. One is read once it stood still for so long: it may be half written before. */
export const LOOK_INTERVAL_MS = 5_000;

export interface GeoTablesOptions {
  files: GeoFiles;
  clock: Clock;
  log: Log;
  /** After each compilation: how many faults the files have. */
  onCompiled: (outcome: { faults: number; milliseconds: number }) => void;
  compile?: (job: GeoJob) => Promise<GeoOutcome>;
}

export class GeoTables {
  readonly #options: GeoTablesOptions;
  #held: { digest: string; compiled: CompiledGeo } | undefined;
  #stamp: Promise<string>;
  #stop: (() => void) | undefined;
  #looking = false;

  constructor(options: GeoTablesOptions) {
    this.#options = options;
    this.#stamp = stampOf(options.files);
  }

  /** The tables for these rules; at once when they are those in force. */
  async for(rules: GeoRules): Promise<CompiledGeo> {
    const digest = canonicalDigest(rules);
    if (this.#held?.digest === digest) return this.#held.compiled;
    const { compiled } = await this.#compile(rules);
    this.#held = { digest, compiled };
    return compiled;
  }

  /** Looks after the files from now on; tells the new tables for the rules that are in force by then. */
  follow(rulesInForce: () => GeoRules | undefined, onChange: (compiled: CompiledGeo) => void): void {
    let seen = this.#stamp;
    const look = async () => {
      const [before, now] = [await seen, await stampOf(this.#options.files)];
      seen = Promise.resolve(now);
      if (now !== before || now === (await this.#stamp)) return;
      this.#stamp = seen;
      await this.#reload(rulesInForce, onChange);
    };
    this.#stop = this.#options.clock.every(LOOK_INTERVAL_MS, () => {
      if (this.#looking) return;
      this.#looking = true;
      void look()
        .catch((error: unknown) =>
          this.#options.log.error({ err: error }, 'the geo files can not be read anew'),
        )
        .finally(() => {
          this.#looking = false;
        });
    });
  }

  stop(): void {
    this.#stop?.();
  }

  async #reload(
    rulesInForce: () => GeoRules | undefined,
    onChange: (compiled: CompiledGeo) => void,
  ): Promise<void> {
    const rules = rulesInForce();
    if (rules === undefined) return;
    const digest = canonicalDigest(rules);
    const { compiled, faults } = await this.#compile(rules);
    if (faults.length > 0) return;
    const since = rulesInForce();
    // A plan with other rules came in the meantime, compiled from files that may be the old ones.
    if (since && canonicalDigest(since) !== digest) return this.#reload(rulesInForce, onChange);
    this.#held = { digest, compiled };
    onChange(compiled);
    this.#options.log.info('geo files changed; the new ones are in force');
  }

  async #compile(rules: GeoRules): Promise<GeoOutcome> {
    const { files, log, onCompiled, compile = compileInThread } = this.#options;
    const start = performance.now();
    const outcome = await compile({ files, rules });
    onCompiled({ faults: outcome.faults.length, milliseconds: performance.now() - start });
    for (const { file, message } of outcome.faults) {
      log.error(
        { file, fault: message },
        'a geo file can not be used as it is: its clients are placed by what was read before, or else by the other files',
      );
    }
    return outcome;
  }
}

/** One job, one thread: what compiling needed of memory goes with it. */
export function compileInThread(job: GeoJob): Promise<GeoOutcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(codeFile('dns-server/geo/geo-worker'), { workerData: job });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the geo thread ended with code ${code}`)));
  });
}

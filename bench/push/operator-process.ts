/** The operator as a process, as its log tells of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { createAgent } from '../../agent/create-agent.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { silentLog } from '../../lib/log.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import { type OperatorPlace, placeOf } from '../../operator/testing/trust.ts';
import { settings } from '../compile/fleet.ts';
import { cpuSeconds } from '../edge/process-cost.ts';

const QUIET_WITHIN_S = 40;

const MAIN = join(import.meta.dirname, '..', '..', 'operator', 'main.ts');

export interface Published {
  /** Milliseconds since the epoch. */
  at: number;
  took: { admit: number; write: number; compile: number };
}

export class OperatorProcess {
  readonly #folder: string;
  readonly #kubeconfig: string;
  readonly #profile: string | undefined;
  readonly #published: Published[] = [];
  #child: ChildProcess | undefined;
  #port = 0;
  #onPublished = () => {};
  #began = 0;

  /** `profile`: the folder that each run writes its CPU profile to when it ends. */
  constructor(folder: string, kubeconfig: string, profile?: string) {
    this.#folder = folder;
    this.#kubeconfig = kubeconfig;
    this.#profile = profile;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Seconds since it was started. */
  age(): number {
    return (performance.now() - this.#began) / 1_000;
  }

  /** Resolves with the seconds until the edges' first plan was out. */
  async start(): Promise<number> {
    const config = join(this.#folder, 'weir.yaml');
    await mkdir(join(this.#folder, 'state'), { recursive: true });
    await writeFile(config, stringify(settings));
    this.#port = await freePort();
    const flags = {
      source: 'kubernetes',
      kubeconfig: this.#kubeconfig,
      config,
      state: join(this.#folder, 'state'),
      listen: `127.0.0.1:${this.#port}`,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const first = new Promise<void>((resolve) => {
      this.#onPublished = resolve;
    });
    const began = performance.now();
    this.#began = began;
    const profiling =
      this.#profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(this.#profile)}`];
    const child = spawn(process.execPath, [...profiling, MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(line));
    await first;
    return (performance.now() - began) / 1_000;
  }

  /** A real agent of a dns-server: without one no domain is ever ready. */
  async connectDns(): Promise<() => Promise<void>> {
    const { token, bundle, dnsServer } = stateFolder(join(this.#folder, 'state'));
    const agent = createAgent({
      role: 'dns-server',
      node: 'dns-1',
      operator: `https://127.0.0.1:${this.#port}`,
      joinTokenFile: token,
      operatorCa: bundle,
      folder: dnsServer,
      log: silentLog,
      prepare: async () => () => {},
    });
    await agent.load();
    agent.connect();
    return () => agent.stop();
  }

  place(): Promise<OperatorPlace> {
    return placeOf(stateFolder(join(this.#folder, 'state')), { host: '127.0.0.1', port: this.#port });
  }

  /** The edges' plan that came out after that moment. */
  publishedAfter(at: number): Published | undefined {
    return this.#published.find((plan) => plan.at >= at - 1);
  }

  /** Resolves when it has next to nothing to do for three seconds; statuses may be written for minutes still. */
  async quiet(): Promise<void> {
    for (let calm = 0, seconds = 0; calm < 3 && seconds < QUIET_WITHIN_S; seconds++) {
      const before = cpuSeconds(this.pid);
      await sleep(1_000);
      calm = cpuSeconds(this.pid) - before < 0.15 ? calm + 1 : 0;
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }

  #read(line: string): void {
    const { msg, role, time, took, level } = JSON.parse(line);
    if (level === 'error') process.stderr.write(`${line}\n`);
    if (msg !== 'plan published' || role !== 'edge') return;
    this.#published.push({ at: Date.parse(time), took });
    this.#onPublished();
  }
}

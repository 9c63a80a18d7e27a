/** A machine outside the cluster: a network namespace with an address of its own, where Weir's bundle is installed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export class Machine {
  readonly address: string;
  readonly #namespace: string;
  readonly #weir: string;
  readonly #state: string;
  #edge: ChildProcess | undefined;

  /** `folder` has the bundle, as `dist`. */
  constructor({ name, address, folder }: { name: string; address: string; folder: string }) {
    this.address = address;
    this.#namespace = `/run/netns/${process.env.WEIR_E2E_NETWORK}-${name}`;
    this.#weir = join(folder, 'dist');
    // Of its own in each test file: one that has joined before is refused.
    this.#state = mkdtempSync(join(folder, `${name}-`));
  }

  /** `weir join`, with its standard output. */
  async join(operator: string, token: string): Promise<string> {
    const args = ['join', '--operator', operator, '--token', token, '--state', this.#state];
    const { stdout } = await promisify(execFile)('nsenter', this.#node('bin/weir', ...args));
    return stdout;
  }

  startEdge(node: string, operator: string): void {
    const flags = {
      node,
      operator,
      state: this.#state,
      listen: `${this.address}:80`,
      admin: '127.0.0.1:8701',
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    this.#edge = spawn('nsenter', this.#node('edge/main.js', ...args), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#edge.stdout?.pipe(createWriteStream(`${this.#state}.log`));
  }

  async stopEdge(): Promise<void> {
    const edge = this.#edge;
    if (!edge || edge.exitCode !== null) return;
    const ended = new Promise((resolve) => edge.once('exit', resolve));
    edge.kill('SIGTERM');
    await ended;
  }

  #node(program: string, ...args: string[]): string[] {
    return [`--net=${this.#namespace}`, process.execPath, join(this.#weir, program), ...args];
  }
}

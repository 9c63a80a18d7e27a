/** The bare sender's process: greeted like an operator, told what to send. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ndjsonLine } from '../../lib/ndjson.ts';
import type { OperatorPlace } from '../../operator/testing/trust.ts';
import { nowMs } from './cluster-fill.ts';

export class BareProcess {
  readonly place: OperatorPlace;
  readonly #child: ChildProcess;

  static async start(): Promise<BareProcess> {
    const child = fork(join(import.meta.dirname, 'bare.ts'));
    const [told] = (await once(child, 'message')) as [{ port: number; ca: string }];
    return new BareProcess(child, { url: `https://127.0.0.1:${told.port}`, ca: told.ca, token: '' });
  }

  private constructor(child: ChildProcess, place: OperatorPlace) {
    this.#child = child;
    this.place = place;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** A line of that many bytes that agents take for a delta, or a command. */
  send(kind: 'delta' | 'command', number: number, bytes: number): { at: number; what: string } {
    const revision = { epoch: 1, seq: number };
    const uid = `bare-${number}`;
    const make = (padding: string) =>
      ndjsonLine(
        kind === 'delta'
          ? { type: 'delta', delta: { revision, digest: 'x'.repeat(64), run: 'bare', padding } }
          : { type: 'command', command: { uid, padding } },
      );
    const line = make('x'.repeat(Math.max(0, bytes + 1 - make('').length)));
    const at = nowMs();
    this.#child.send({ line });
    return { at, what: kind === 'delta' ? `plan 1.${number}` : `command ${uid}` };
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

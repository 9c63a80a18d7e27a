/** One worker process, seen from the main process: what is asked of it, and its end. */
import { type ChildProcess, fork } from 'node:child_process';
import { codeFile } from '../../lib/code-files.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** Without the number, which is given here. */
type Asked<T> = T extends { number: number } ? Omit<T, 'number'> : never;
export type Question = Asked<ToWorker>;
export type Told = Extract<FromWorker, { type: 'changed' | 'usage' | 'invalidate' }>;

/** A worker that does not answer is stuck, and keeps others waiting: it is ended, and another one begins. */
const ANSWER_WITHIN_MS = 10_000;
/** One that begins has its code to read, and an index to open, on a machine that may have much else to do. */
const START_WITHIN_MS = 60_000;

export class WorkerProcess {
  readonly mark: string;
  /** Bytes in files that it is filling. */
  filling = 0;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #number = 0;
  #isUp = false;
  #hasEnded = false;

  constructor(mark: string, onTold: (told: Told) => void) {
    this.mark = mark;
    this.#child = fork(codeFile('edge/workers/worker'));
    this.#child.on('message', (message: FromWorker) => this.#receive(message, onTold));
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true;
        for (const { resolve: answer } of this.#open.values()) answer(undefined);
        this.#open.clear();
        resolve();
      };
      this.#child.once('exit', end);
      this.#child.once('error', end);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it is done there; with nothing where the worker has ended, for then nothing of it is left to do. */
  ask(question: Question): Promise<unknown> {
    if (this.#hasEnded || !this.#child.connected) return Promise.resolve(undefined);
    const number = ++this.#number;
    // What it is told while it begins waits behind its start.
    const within = this.#isUp ? ANSWER_WITHIN_MS : START_WITHIN_MS;
    const timer = setTimeout(() => this.kill(), within).unref();
    return new Promise((resolve, reject) => {
      this.#open.set(number, { resolve, reject });
      this.#child.send({ ...question, number } satisfies ToWorker, (error) => {
        // It is about to end, which answers.
        if (error) this.kill();
      });
    }).finally(() => clearTimeout(timer));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #receive(message: FromWorker, onTold: (told: Told) => void): void {
    this.#isUp = true;
    if (message.type !== 'answer' && message.type !== 'failed') {
      onTold(message);
      return;
    }
    const open = this.#open.get(message.number);
    this.#open.delete(message.number);
    if (message.type === 'answer') open?.resolve(message.value);
    else open?.reject(new Error(message.message));
  }
}

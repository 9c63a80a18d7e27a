/** When `weir standalone` is to stop: on a signal, or when the npm that started it is gone. */
import type { Log } from '../../lib/log.ts';
import { EXIT } from '../exit-codes.ts';

const LOOK_FOR_PARENT_MS = 500;
/** Ctrl-C under npm arrives twice, from the terminal and handed on by npm: within this it is one. */
const SAME_PRESS_MS = 1_000;

export interface Told {
  /** Aborted when it is to stop. */
  signal: AbortSignal;
  wait: Promise<void>;
}

/** The first time stops in order; a second one kills, for those who can not wait. */
export function untilTold(log: Log, kill: () => void): Told {
  const controller = new AbortController();
  let first = 0;
  const wait = new Promise<void>((resolve) => {
    const told = (reason: string) => {
      if (controller.signal.aborted) {
        if (Date.now() - first < SAME_PRESS_MS) return;
        log.warn({ reason }, 'ending everything at once');
        kill();
        process.exit(EXIT.failed);
      }
      log.info({ reason }, 'stopping; once more ends everything at once');
      first = Date.now();
      controller.abort();
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, told);
    if (process.env.npm_lifecycle_event !== undefined) onceOrphaned(() => told('npm is gone'));
  });
  return { signal: controller.signal, wait };
}

/** An npm that is killed takes nobody along. From a shell it is different: that may end on purpose (`nohup`). */
function onceOrphaned(run: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    run();
  }, LOOK_FOR_PARENT_MS);
  timer.unref();
}

/**
 * Tells what the probes see: to the operator whenever it changes and at a steady beat, and to the state folder, where
 * `weir explain` finds it when the operator is gone.
 */
import type { HealthReport } from '../../contract/stream/messages.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';

/** An operator that lost its memory knows within this time what the probes see. */
const BEAT_MS = 10_000;

export interface HealthNotes {
  changed(nodes: HealthReport['nodes']): void;
  stop(): Promise<void>;
}

export function keepHealthNotes(options: {
  file: string;
  clock: Clock;
  log: Log;
  report: (report: HealthReport) => void;
}): HealthNotes {
  const { file, clock, log, report } = options;
  let nodes: HealthReport['nodes'] = [];
  const files = latest(async (newest: HealthReport['nodes']) => {
    try {
      await writeFileAtomic(file, `${JSON.stringify(newest)}\n`);
    } catch (error) {
      log.warn({ err: error, file }, 'health is not written; answers do not depend on the file');
    }
  });
  const say = () => report({ type: 'health', nodes });
  const cancel = clock.every(BEAT_MS, say);
  return {
    changed(newest) {
      nodes = newest;
      files.offer(newest);
      say();
    },
    async stop() {
      cancel();
      await files.idle();
    },
  };
}

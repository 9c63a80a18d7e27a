/** Follows one PurgeJob until it ends or the time is up. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { outcomeOf, progressText } from './progress.ts';

export interface WaitOptions {
  timeoutMs: number;
  pollMs?: number;
  /** The job, from wherever it can be had; one that fails is asked again. */
  job: () => Promise<ResourceView<'PurgeJob'> | undefined>;
  /** Called whenever the words change. */
  onProgress: (text: string) => void;
}

/** The job as it was seen last; nothing when it was never seen. */
export async function waitForJob(options: WaitOptions): Promise<ResourceView<'PurgeJob'> | undefined> {
  const { timeoutMs, pollMs = 100, onProgress } = options;
  const deadline = Date.now() + timeoutMs;
  let said = '';
  let job: ResourceView<'PurgeJob'> | undefined;
  for (;;) {
    job = (await options.job().catch(() => undefined)) ?? job;
    const text = progressText(job);
    if (text !== said) onProgress(text);
    said = text;
    if (outcomeOf(job) || Date.now() >= deadline) return job;
    await sleep(Math.min(pollMs, Math.max(1, deadline - Date.now())));
  }
}

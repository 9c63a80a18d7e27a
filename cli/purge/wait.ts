/** Follows one PurgeJob until it ends or the time is up. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { viewsOf } from '../resource-views.ts';
import { outcomeOf, progressText } from './progress.ts';

export interface WaitOptions {
  namespace: string;
  name: string;
  timeoutMs: number;
  pollMs?: number;
  /** All resources, from wherever they can be had; one that fails is asked again. */
  resources: () => Promise<readonly ResourceView[]>;
  /** Called whenever the words change. */
  onProgress: (text: string) => void;
}

/** The job as it was seen last; nothing when it was never seen. */
export async function waitForJob(options: WaitOptions): Promise<ResourceView<'PurgeJob'> | undefined> {
  const { namespace, name, timeoutMs, pollMs = 100, resources, onProgress } = options;
  const deadline = Date.now() + timeoutMs;
  let said = '';
  let job: ResourceView<'PurgeJob'> | undefined;
  for (;;) {
    const seen = viewsOf(await resources().catch(() => []), 'PurgeJob').find(
      ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
    );
    job = seen ?? job;
    const text = progressText(job);
    if (text !== said) onProgress(text);
    said = text;
    if (outcomeOf(job) || Date.now() >= deadline) return job;
    await sleep(Math.min(pollMs, Math.max(1, deadline - Date.now())));
  }
}

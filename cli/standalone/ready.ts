/** Waits until what was started can do its work. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import type { OperatorClient } from '../installation/operator-client.ts';
import { conditionOf, viewsOf } from '../resource-views.ts';
import type { Program } from './programs.ts';

const POLL_MS = 100;

/** True once `check` holds; false when the signal ends the wait first. */
export async function until(check: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await check()) return true;
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
  return false;
}

export async function answersReady({ readyUrl }: Program): Promise<boolean> {
  try {
    const { statusCode, body } = await request(readyUrl, { headersTimeout: 1_000, bodyTimeout: 1_000 });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}

/** What a newcomer's first commands need: domains in the answers, and the edges that run here in good health. */
export async function notYetReady(
  operator: OperatorClient,
  edges: readonly { name: string }[],
): Promise<ResourceView[] | undefined> {
  try {
    const here = new Set(edges.map(({ name }) => name));
    const { resources } = await operator.resources();
    const nodes = viewsOf(resources, 'EdgeNode').filter(({ metadata }) => here.has(metadata.name));
    if (nodes.length < here.size) return undefined;
    return [...viewsOf(resources, 'CdnDomain'), ...nodes].filter(
      (view) => conditionOf(view, 'Ready')?.status !== 'True' && !waitsForPeople(view),
    );
  } catch {
    return undefined;
  }
}

/** Refused, or drained: that does not pass by waiting. */
function waitsForPeople(view: ResourceView): boolean {
  return (
    conditionOf(view, 'Accepted')?.status === 'False' || conditionOf(view, 'Ready')?.reason === 'Cordoned'
  );
}

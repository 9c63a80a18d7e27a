/**
 * Whether a balancer should send queries here. Who begins with what is on disk may point at an edge that left meanwhile:
 * it answers all the same, but is ready only when it has heard of the operator; with none in sight, a little later.
 */
import type { Agent } from '../agent/agent.ts';
import type { Clock } from '../lib/clock.ts';

export const WAIT_FOR_OPERATOR_MS = 10_000;

/** The reason why not, if there is one. */
export function readiness(
  agent: Pick<Agent<'dns-server'>, 'held' | 'connected'>,
  clock: Clock,
): () => string | undefined {
  const begin = clock.now();
  let settled = false;
  return () => {
    if (!agent.held()) return 'no plan yet';
    settled ||= agent.connected() || clock.now() - begin >= WAIT_FOR_OPERATOR_MS;
    return settled ? undefined : 'starting: waiting for the operator, for ten seconds at most';
  };
}

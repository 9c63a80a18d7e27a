/**
 * Commands of the operator. Order: detach the fetches under way, drop, fsync with the uid, then say so. A second
 * sending of a uid is answered with what the first one did.
 */
import type { Command, PurgeCommand } from '../../contract/stream/messages.ts';
import type { Log } from '../../lib/log.ts';
import type { Fills } from '../cache/fill.ts';
import { scopesOf } from '../cache/purge-scope.ts';
import type { CommandResult } from '../cache/purges.ts';
import type { Store } from '../cache/store.ts';
import type { EdgeMetrics } from '../metrics.ts';
import type { Plans } from '../plan/plans.ts';
import type { Prefetches } from '../prefetch/prefetch.ts';
import type { Usage } from '../usage/usage.ts';
import type { Workers } from '../workers/workers.ts';
import type { Dropping } from './dropping.ts';

export interface CommandParts {
  store: Store;
  fills: Fills;
  dropping: Dropping;
  plans: Plans;
  prefetches: Prefetches;
  usage: Usage;
  workers?: Pick<Workers, 'revalidate'> | undefined;
  metrics: EdgeMetrics;
  log: Log;
}

export async function applyCommand(command: Command, parts: CommandParts): Promise<CommandResult> {
  // No word of it: it comes each minute.
  if (command.type === 'usageTaken') return { objects: await parts.usage.taken(command.ids), durationMs: 0 };
  const before = parts.store.purges.applied(command.uid);
  if (before !== undefined) return before;
  const result = await apply(command, parts);
  const type = command.type === 'purge' && command.soft ? 'softPurge' : command.type;
  parts.metrics.commands.inc({ type });
  parts.log.info({ command: command.type, uid: command.uid, ...result }, 'command applied');
  return result;
}

async function apply(
  command: Exclude<Command, { type: 'usageTaken' }>,
  parts: CommandParts,
): Promise<CommandResult> {
  switch (command.type) {
    case 'purge':
      return await purge(command, parts);
    case 'revalidateAll':
      return await revalidateAll(command.uid, parts);
    case 'prefetch': {
      const result = await parts.prefetches.run(command);
      parts.store.purges.remember(command.uid, result);
      return result;
    }
  }
}

async function purge(
  command: PurgeCommand,
  { dropping, plans, metrics, log }: CommandParts,
): Promise<CommandResult> {
  const hostnames = plans.current()?.byUid.get(command.domain)?.hostnames;
  // A domain that the plan does not have is told by the operator alone; its hosts are then taken on trust.
  const { scopes, foreign } = scopesOf(command, (host) => hostnames?.has(host) ?? true);
  if (foreign.length > 0) {
    log.warn({ uid: command.uid, urls: foreign.slice(0, 20) }, 'purge names URLs that are not of its domain');
  }
  const { uid, soft } = command;
  const result = await dropping.drop(scopes, { uid, soft });
  metrics.purgedObjects.inc(result.objects);
  return result;
}

async function revalidateAll(uid: string, { store, fills, workers }: CommandParts): Promise<CommandResult> {
  fills.closeToJoins();
  const result = store.purges.revalidateAll(uid);
  await workers?.revalidate(store.purges.revalidateBelow);
  return result;
}

/** All that an explanation is computed from: the operator's view, or what the dns-server left on the disk. */
import { join } from 'node:path';
import { z } from 'zod';
import { readHeldPlan, readHeldTable } from '../../agent/held-files.ts';
import { AGENT_FILES, type StateFolder } from '../../contract/state-folder.ts';
import { type HealthReport, report } from '../../contract/stream/messages.ts';
import type { RoutingView } from '../../contract/stream/operator-api.ts';
import { majorityHealth } from '../../dns-server/health/majority.ts';
import { keepLowerSince } from '../../dns-server/plan/merge.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import { createLog } from '../../lib/log.ts';
import { CommandError, EXIT } from '../exit-codes.ts';

/** The name under which the one dns-server of a state folder is shown. */
const ON_DISK = 'dns-server';

export async function routingOnDisk(state: StateFolder): Promise<RoutingView> {
  const read = async <T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const path = join(state.dnsServer, file);
    const text = await readFileIfThere(path);
    try {
      return text === undefined ? undefined : schema.parse(JSON.parse(text));
    } catch {
      throw new CommandError(EXIT.unreachable, `${path} is not what a dns-server of this version writes`);
    }
  };
  const folder = state.dnsServer;
  const log = createLog('weir', {}, 2);
  const published = await readHeldPlan({ role: 'dns-server', folder, merge: keepLowerSince, log });
  if (!published) {
    throw new CommandError(EXIT.unreachable, `${folder} holds no plan: no dns-server ran there yet`);
  }
  const table = await readHeldTable(folder, log);
  const health = (await read(AGENT_FILES.health, healthNodes)) ?? [];
  return { published, table, health: { [ON_DISK]: health } };
}

/** Each dns-server has eyes of its own; where others vote, the first one's answer is as good as another's. */
export function oneView({ published, table, health }: RoutingView) {
  const [first = ''] = Object.keys(health).sort();
  const own = health[first] ?? [];
  // What one left on the disk has no name among the voters: alone, it goes by its own view.
  const votes = table.voters?.includes(first) === true;
  return { published, table, health: votes ? majorityHealth(own, first, table) : own };
}

/** The file holds the nodes of a report, without the report around them. */
const healthNodes = z.unknown().transform((nodes, context): HealthReport['nodes'] => {
  const parsed = report.safeParse({ type: 'health', nodes });
  if (parsed.success && parsed.data.type === 'health') return parsed.data.nodes;
  context.addIssue({ code: 'custom', message: 'not a list of nodes with their health' });
  return z.NEVER;
});

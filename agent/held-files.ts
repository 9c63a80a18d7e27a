/** What an agent keeps on disk: the plan it serves and, in a dns-server, the node table. Checked again when read. */
import { join } from 'node:path';
import type { z } from 'zod';
import { EMPTY_TABLE, type NodeTable, nodeTable } from '../contract/plans/node-table.ts';
import { planDigest } from '../contract/plans/published-plan.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { PLAN_OF_ROLE, type Role } from '../contract/stream/messages.ts';
import { readFileIfThere, writeFileAtomic } from '../lib/atomic-file.ts';
import type { Log } from '../lib/log.ts';
import type { PlanOf } from './agent.ts';

/** Checks what came over the stream or from disk: schema, then digest. Throws with all problems. */
export function checkPublished<R extends Role>(role: R, value: unknown): PlanOf[R] {
  // The map from role to schema and the map from role to type are the same by construction, which TypeScript can't see.
  const schema = PLAN_OF_ROLE[role] as unknown as z.ZodType<PlanOf[R]>;
  const published = schema.parse(value);
  const digest = planDigest(published.plan);
  if (digest !== published.digest)
    throw new Error(`digest is ${digest}, not ${published.digest} as announced`);
  return published;
}

export function heldFiles<R extends Role>(role: R, folder: string, log: Log) {
  const planFile = join(folder, AGENT_FILES.plan);
  const tableFile = join(folder, AGENT_FILES.table);
  return {
    readPlan: () => readChecked(planFile, (value) => checkPublished(role, value), log),
    writePlan: (published: PlanOf[R]) => writeFileAtomic(planFile, JSON.stringify(published)),
    readTable: async () =>
      (await readChecked(tableFile, (value) => nodeTable.parse(value), log)) ?? EMPTY_TABLE,
    writeTable: (table: NodeTable) => writeFileAtomic(tableFile, JSON.stringify(table)),
  };
}

/** A file that does not hold is worth a loud line and no more: an agent must start whatever lies on its disk. */
async function readChecked<T>(path: string, check: (value: unknown) => T, log: Log): Promise<T | undefined> {
  try {
    const text = await readFileIfThere(path);
    return text === undefined ? undefined : check(JSON.parse(text));
  } catch (error) {
    log.error({ path, err: error }, 'file on disk is not usable; starting without it');
    return undefined;
  }
}

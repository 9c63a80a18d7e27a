/**
 * What an agent keeps on disk: the plan it serves and, in a dns-server, the node table. Each lies in a file with a
 * journal of changes beside it, and is checked again when it is read.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { EMPTY_TABLE, mergeTables, type NodeTable, nodeTable } from '../contract/plans/node-table.ts';
import { checkDigest, planDelta, unchecked } from '../contract/plans/plan-delta.ts';
import { compareRevisions, revision } from '../contract/plans/revision.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { PLAN_OF_ROLE, type Role } from '../contract/stream/messages.ts';
import type { Log } from '../lib/log.ts';
import type { PlanOf } from './agent.ts';
import { checkPlan } from './check-plan.ts';
import { JournaledFile, readJournaled } from './journaled-file.ts';

/** A delta as it was taken: also an older journal may hold one against the same content. */
const planStep = z.strictObject({ from: revision, delta: planDelta });

export type Merge<R extends Role> = (held: PlanOf[R], newer: PlanOf[R]) => PlanOf[R];

interface HeldFilesOptions<R extends Role> {
  role: R;
  folder: string;
  merge: Merge<R>;
  log: Log;
}

export type HeldFiles<R extends Role> = ReturnType<typeof heldFiles<R>>;

export function heldFiles<R extends Role>(options: HeldFilesOptions<R>) {
  const { folder, log } = options;
  const plan = new JournaledFile(join(folder, AGENT_FILES.plan));
  const table = new JournaledFile(join(folder, AGENT_FILES.table));
  return {
    readPlan: () => readHeldPlan(options),
    readTable: () => readHeldTable(folder, log),
    /** `step`: the delta by which it came from the plan that was written before. */
    async writePlan(published: PlanOf[R], step?: z.infer<typeof planStep>): Promise<void> {
      if (step && (await plan.append(JSON.stringify(step)))) return;
      await plan.replace(JSON.stringify(published));
    },
    /** `changed`: what merged with the table that was written before is this one. */
    async writeTable(whole: NodeTable, changed?: NodeTable): Promise<void> {
      if (changed && (await table.append(JSON.stringify(changed)))) return;
      await table.replace(JSON.stringify(whole));
    },
    close: async () => void (await Promise.all([plan.close(), table.close()])),
  };
}

/** The plan that an agent would start with; nothing where none is usable. */
export async function readHeldPlan<R extends Role>(
  options: HeldFilesOptions<R>,
): Promise<PlanOf[R] | undefined> {
  const { role, folder, log } = options;
  const path = join(folder, AGENT_FILES.plan);
  return usable(path, log, async () => {
    const { file, lines } = await readJournaled(path);
    if (file === undefined) return undefined;
    const whole = checkPlan(role, JSON.parse(file));
    // What lies in the journal was acked; what lies in the file alone is a plan all the same.
    const newest = await usable(`${path}.journal`, log, async () => replay(options, whole, lines));
    return newest ?? whole;
  });
}

/** The plan after the journal's steps. Those that start from another plan are of the journal before this file. */
function replay<R extends Role>(
  { role, merge }: HeldFilesOptions<R>,
  whole: PlanOf[R],
  lines: readonly string[],
): PlanOf[R] {
  const last = lines.reduce((held, line) => {
    const { from, delta } = planStep.parse(JSON.parse(line));
    if (compareRevisions(from, held.revision) !== 0) return held;
    return merge(held, unchecked(held, delta, PLAN_OF_ROLE[role].shape.plan));
  }, whole);
  checkDigest(last);
  return last;
}

export async function readHeldTable(folder: string, log: Log): Promise<NodeTable> {
  const path = join(folder, AGENT_FILES.table);
  const read = await usable(path, log, async () => {
    const { file, lines } = await readJournaled(path);
    const tables = [...(file === undefined ? [] : [file]), ...lines].map((text) =>
      nodeTable.parse(JSON.parse(text)),
    );
    return tables.reduce<NodeTable>(
      (held, newer) => (compareRevisions(newer.version, held.version) < 0 ? held : mergeTables(held, newer)),
      EMPTY_TABLE,
    );
  });
  return read ?? EMPTY_TABLE;
}

/** A file that does not hold is worth a loud line and no more: an agent must start whatever lies on its disk. */
async function usable<T>(path: string, log: Log, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    log.error({ path, err: error }, 'file on disk is not usable; starting without it');
    return undefined;
  }
}

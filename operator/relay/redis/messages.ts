/**
 * What replicas and leader write to each other, as it lies in Redis: JSON, one message an entry of a stream. Numbered by
 * the writer from 1 in each of its terms, so that the reader notices what is missing; a new term begins where a writer
 * knows that something was lost. Plans and tables lie beside, under keys of their own: messages say which is the newest.
 */
import { z } from 'zod';
import { revision } from '../../../contract/plans/revision.ts';
import { command, report, role } from '../../../contract/stream/messages.ts';

/** Part of every key: replicas of two builds that could not read each other do not meet. */
export const RELAY_VERSION = 1;

const session = z.string();
const agent = { role, node: z.string() };
const header = { term: z.string(), n: z.int() };

const saidByReplica = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('connect'),
    call: z.strictObject({
      ...agent,
      session,
      held: revision,
      seen: z.int(),
      run: z.string(),
      resumed: z.boolean(),
    }),
  }),
  z.strictObject({ type: z.literal('disconnect'), session, ...agent }),
  z.strictObject({ type: z.literal('report'), ...agent, reports: z.array(report), judged: z.boolean() }),
  /** First in a term: the streams that are open, each of which is announced next. */
  z.strictObject({ type: z.literal('roll'), sessions: z.array(session) }),
  /** Every few seconds; `at` by the replica's own clock. */
  z.strictObject({ type: z.literal('beat'), at: z.number() }),
]);

export const upMessage = z.strictObject({ ...header, replica: z.string(), say: saidByReplica });
export type SaidByReplica = z.infer<typeof saidByReplica>;

const saidByLeader = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('plan'), role, revision }),
  z.strictObject({ type: z.literal('table'), version: revision }),
  z.strictObject({ type: z.literal('policy'), digest: z.string() }),
  z.strictObject({ type: z.literal('greet'), session, epoch: z.int() }),
  z.strictObject({ type: z.literal('refuse'), session, status: z.int(), message: z.string() }),
  z.strictObject({ type: z.literal('command'), session, command }),
  z.strictObject({ type: z.literal('settle'), session }),
  z.strictObject({ type: z.literal('judge'), session, verdict: report }),
  z.strictObject({ type: z.literal('end'), session }),
  /** Something that this replica said was lost. */
  z.strictObject({ type: z.literal('announce'), replica: z.string() }),
  /** With the `at` of the newest beat that it has of each replica. */
  z.strictObject({ type: z.literal('beat'), heard: z.record(z.string(), z.number()) }),
]);

/** A replica refuses a lower epoch than one that it met: of two that think they lead, the newer does. */
export const downMessage = z.strictObject({ ...header, epoch: z.int(), say: saidByLeader });
export type SaidByLeader = z.infer<typeof saidByLeader>;

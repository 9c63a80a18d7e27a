/** What a domain got of an edge in one minute. Counted by the edge, kept on its disk until the operator took it. */
import { z } from 'zod';

const count = z.int().min(0);

const usageRow = z.strictObject({
  /** `namespace/name` of the CdnDomain. */
  domain: z.string().min(1).max(127),
  requests: count,
  /** Of bodies: to clients, and from origins. */
  clientBytes: count,
  originBytes: count,
  /** Requests by the class of their status, and by what the cache did. */
  statuses: z.partialRecord(z.enum(['1xx', '2xx', '3xx', '4xx', '5xx']), count),
  results: z.record(z.string().max(20), count),
});

export type UsageRow = z.infer<typeof usageRow>;

/** More domains than this in one minute make several batches. */
export const MAX_USAGE_ROWS = 1_000;

/** A batch is sent until its id was acked; whoever counts it counts an id of a node once. */
export const usageBatch = z.strictObject({
  id: z
    .string()
    .regex(/^[0-9]+-[0-9a-f]+-[0-9]+$/)
    .max(60),
  /** Its begin, in minutes since the epoch. */
  minute: count,
  rows: z.array(usageRow).max(MAX_USAGE_ROWS),
});

export type UsageBatch = z.infer<typeof usageBatch>;

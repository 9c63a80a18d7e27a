/** A resource by its name, of the kinds that plans are made of: what an agent puts a fault of a plan down to. */
import { z } from 'zod';

export const planResource = z.strictObject({
  kind: z.enum(['CdnDomain', 'EdgeNode']),
  /** Empty for an EdgeNode. */
  namespace: z.string().max(63),
  name: z.string().max(253),
});
export type PlanResource = z.infer<typeof planResource>;

/** What the status and the printed columns of every kind have in common. */
import { z } from 'zod';
import { conditions } from './conditions.ts';
import type { PrinterColumn } from './kind.ts';

/** First in each status: kstatus takes an older generation for "in progress". */
export const observedGeneration = z
  .int()
  .min(-1)
  .max(2 ** 52)
  .optional()
  .describe('The generation of the spec that this status speaks of.');

/** The status of a kind: its own fields between those that all have. */
export function statusSchema<F extends z.ZodRawShape>(fields: F) {
  return z.strictObject({ observedGeneration, ...fields, conditions: conditions.optional() });
}

/** In the status of what plans are made of: survives the operator, so that a new leader does not send it out again. */
export const quarantined = z
  .strictObject({
    spec: z.string().max(64).describe('Digest of the spec that was refused; another one is free.'),
    by: z.string().max(320).describe('Who refused it.'),
    message: z.string().max(1_024).describe('What it said.'),
    build: z.string().max(64).describe('The operator’s version; another one tries it again.'),
  })
  .optional()
  .describe('Agents could not take this spec: the one before it stays in force.');

/** Why Ready is as it is: the last column of every kind. */
export const reasonColumn: PrinterColumn = {
  name: 'Reason',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Why.',
};

export function readyColumn(description: string): PrinterColumn {
  return { name: 'Ready', jsonPath: '.status.conditions[?(@.type=="Ready")].status', description };
}

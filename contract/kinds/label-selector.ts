/** Kubernetes label selectors: the schema, and what they select. */
import { z } from 'zod';

const labelKey = z.string().min(1).max(317);
const labelValue = z.string().max(63);
const MAX_LABELS = 64;

export const labelSelector = z
  .strictObject({
    matchLabels: z
      .record(labelKey, labelValue)
      .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`)
      // zod has no maximum for a record; an API server wants one for all that a CEL rule compares.
      .meta({ maxProperties: MAX_LABELS })
      .optional()
      .describe('Labels that must all be there with these values.'),
    matchExpressions: z
      .array(
        z.strictObject({
          key: labelKey.describe('The label that is looked at.'),
          operator: z
            .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
            .describe('How the label is compared with `values`.'),
          values: z.array(labelValue).max(64).optional().describe('Values for In and NotIn.'),
        }),
      )
      .max(32)
      .optional()
      .describe('Conditions that must all hold.'),
  })
  .describe('A Kubernetes label selector; an empty one selects everything.');

export type LabelSelector = z.infer<typeof labelSelector>;
type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** True when the labels satisfy the selector. No selector selects everything, as an empty one does. */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string>): boolean {
  if (!selector) return true;
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every((expression) => holds(expression, labels));
}

function holds({ key, operator, values = [] }: Expression, labels: Record<string, string>): boolean {
  // `constructor` is a label that people may use, and a property that every object has.
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

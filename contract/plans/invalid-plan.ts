/** A plan that can't be put in force for what it says, and the resources whose parts are at fault. Pure. */
import type { z } from 'zod';
import type { PlanResource } from '../stream/plan-resource.ts';

/** Thrown by whoever checks or prepares a plan. Without resources it is nobody's in particular: weir.yaml, or a bug. */
export class InvalidPlan extends Error {
  readonly resources: readonly PlanResource[];

  constructor(message: string, resources: readonly PlanResource[]) {
    super(message);
    this.resources = resources;
  }
}

/** The resource that a part of a plan was made from; nothing for what is made of weir.yaml, or of many resources. */
export function resourceOf(section: PropertyKey | undefined, row: unknown): PlanResource[] {
  const [name, namespace]: unknown[] = [field(row, 'name'), field(row, 'namespace')];
  if (typeof name !== 'string') return [];
  if (section === 'nodes') return [{ kind: 'EdgeNode', namespace: '', name }];
  if (section === 'domains' && typeof namespace === 'string') return [{ kind: 'CdnDomain', namespace, name }];
  return [];
}

/** What zod found wrong in a plan (`path`: where that is in the value), put down to the parts that it found it in. */
export function invalidPlan(
  value: unknown,
  { issues, message }: z.ZodError,
  path: PropertyKey[] = [],
): InvalidPlan {
  const plan = path.reduce(field, value);
  const named = issues
    .filter((issue) => path.every((key, depth) => issue.path[depth] === key))
    .flatMap((issue) => {
      const [section, index] = issue.path.slice(path.length);
      return section === undefined || index === undefined
        ? []
        : resourceOf(section, field(field(plan, section), index));
    });
  const once = new Map(named.map((resource) => [JSON.stringify(resource), resource] as const));
  return new InvalidPlan(message, [...once.values()]);
}

function field(value: unknown, key: PropertyKey): unknown {
  return value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined;
}

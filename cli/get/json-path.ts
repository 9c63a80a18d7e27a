/**
 * The part of JSONPath that printer columns use: fields, and `[?(@.type=="X")]` on a list. Pure.
 *
 *     .status.conditions[?(@.type=="Ready")].status
 */
type Step = { field: string } | { key: string; value: string };

const STEP = /\.([A-Za-z0-9_-]+)|\[\?\(@\.([A-Za-z0-9_-]+)\s*==\s*(["'])(.*?)\3\)\]/y;

/** Throws on a path that it can not read: a column's path is ours, so that is a bug. */
export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const at = STEP.lastIndex;
    const [, field, key, , value] = STEP.exec(path) ?? [];
    if (field !== undefined) steps.push({ field });
    else if (key !== undefined && value !== undefined) steps.push({ key, value });
    else throw new Error(`the path ${path} can not be read from character ${at} on`);
  }
  return steps;
}

/** What stands at the path, or nothing. A filter takes the first row that fits. */
export function valueAt(object: unknown, path: string): unknown {
  return parsePath(path).reduce<unknown>((value, step) => {
    if ('field' in step) return fieldOf(value, step.field);
    return Array.isArray(value) ? value.find((row) => fieldOf(row, step.key) === step.value) : undefined;
  }, object);
}

function fieldOf(value: unknown, name: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

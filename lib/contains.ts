/**
 * Whether all that the first JSON value says is so in the second, which may say more: fields of an object, items of a
 * list in whatever order.
 */
export function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((item) => whole.some((other) => contains(other, item)));
  }
  if (!isObject(part)) return part === whole;
  return isObject(whole) && Object.entries(part).every(([key, inner]) => contains(whole[key], inner));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The field names that a schema knows at a path: what to tell someone who wrote another one. */
import { z } from 'zod';

/** Nothing where the path leads to no object with fixed fields. */
export function allowedKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] | undefined {
  const at = path.reduce<z.ZodType | undefined>((inner, key) => inner && step(unwrap(inner), key), schema);
  const object = at && unwrap(at);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : undefined;
}

function step(schema: z.ZodType, key: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodObject) return schema.shape[String(key)] as z.ZodType | undefined;
  return undefined;
}

/** Below optional(), default() and prefault() lies the schema that names the fields. */
function unwrap(schema: z.ZodType): z.ZodType {
  const wrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

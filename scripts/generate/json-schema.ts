/** From zod to a plain OpenAPI v3 schema: the one form that CRDs and reference pages are both made of. Pure. */
import { z } from 'zod';

/** The part of OpenAPI v3 that our schemas use. */
export interface JsonSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: CelRule[];
  /** What a string must be, for people; not part of a CRD. */
  'x-words'?: string;
}

export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
}

/** `input`: what people may write, where a field with a default is optional. */
export function jsonSchema(schema: z.ZodType): JsonSchema {
  // zod types the answer for all its targets; `openapi-3.0` is the interface above, and structuralProblems checks it.
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as JsonSchema;
}

/** The value of an object's default with the defaults of its fields filled in, as an API server and zod have it. */
export function filledDefault(schema: JsonSchema): unknown {
  return schema.default === undefined ? undefined : withDefaults(schema, schema.default);
}

/** A value with the defaults of all fields that it leaves out. */
export function withDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value) && schema.items) {
    const { items } = schema;
    return value.map((item) => withDefaults(items, item));
  }
  if (!isRecord(value) || !schema.properties) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(schema.properties)) {
    const given = name in value ? value[name] : field.default;
    if (given !== undefined) filled[name] = withDefaults(field, given);
  }
  return filled;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

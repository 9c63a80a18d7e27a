/**
 * Who owns which fields of an object, as server-side apply keeps it in `managedFields`: a tree of `f:name`, in lists
 * `v:value` and `k:{key}`. What another owns is left out of what we apply, so it stays theirs; what we own and no longer
 * want goes away when we apply without it. Pure.
 */
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { contains } from '../../lib/contains.ts';
import type { ApiObject } from '../kubernetes/objects.ts';

type Fields = Record<string, unknown>;
type Json = Record<string, unknown>;

const managedFields = z.array(
  z.object({
    manager: z.string().default(''),
    subresource: z.string().optional(),
    fieldsV1: z.record(z.string(), z.unknown()).default({}),
  }),
);

function entriesOf({ metadata }: ApiObject) {
  return managedFields.parse(metadata.managedFields ?? []);
}

function fieldsOf(object: ApiObject, manager: string): Fields {
  return entriesOf(object).find((entry) => entry.manager === manager && !entry.subresource)?.fieldsV1 ?? {};
}

/** The part of an object that a manager owns: what it would apply to change nothing. */
export function ownedPart(object: ApiObject, manager: string): Json {
  const fields = fieldsOf(object, manager);
  // A leaf is owned whole; at the top it means that the manager never wrote here.
  return isLeaf(fields) ? {} : asJson(pick(object, fields));
}

/** The manifest without what other managers own. A list that another has a hand in is theirs whole. */
export function withoutOthers(manifest: Json, object: ApiObject | undefined, manager: string): Json {
  const others = object
    ? entriesOf(object).filter((entry) => entry.manager !== manager && !entry.subresource)
    : [];
  return others.reduce((rest, { fieldsV1 }) => omit(rest, fieldsV1), manifest);
}

/** Whether applying the manifest would change nothing: it is all there, and we own nothing beyond it. */
export function isApplied({ metadata, spec }: Json, object: ApiObject, manager: string): boolean {
  return contains(object, { metadata, spec }) && contains({ metadata, spec }, ownedPart(object, manager));
}

const isTree = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const asJson = (value: unknown): Json => (isTree(value) ? value : {});
/** A field that is owned whole; one with parts has `f:`, `k:` or `v:` below it, and `.` for itself. */
const isLeaf = (fields: Fields) => Object.keys(fields).length === 0;

function pick(value: unknown, fields: Fields): unknown {
  if (isLeaf(fields)) return value;
  if (Array.isArray(value))
    return value.filter((item) => Object.keys(fields).some((key) => names(key, item)));
  if (!isTree(value)) return value;
  const picked = Object.entries(fields).flatMap(([key, below]) => {
    const name = key.slice(2);
    return key.startsWith('f:') && Object.hasOwn(value, name)
      ? [[name, pick(value[name], asJson(below))] as const]
      : [];
  });
  return Object.fromEntries(picked);
}

/** Whether `v:"192.0.2.1"` or `k:{"uid":"x"}` means this item of a list. */
function names(key: string, item: unknown): boolean {
  if (key.startsWith('v:')) return canonicalJson(JSON.parse(key.slice(2))) === canonicalJson(item);
  return key.startsWith('k:') && contains(item, JSON.parse(key.slice(2)));
}

function omit(value: Json, fields: Fields): Json {
  const kept = Object.entries(value).flatMap(([name, inner]) => {
    const below = fields[`f:${name}`];
    if (below === undefined) return [[name, inner] as const];
    if (!isTree(inner) || isLeaf(asJson(below))) return [];
    const rest = omit(inner, asJson(below));
    return Object.keys(rest).length === 0 && Object.keys(inner).length > 0 ? [] : [[name, rest] as const];
  });
  return Object.fromEntries(kept);
}

/** Which of the stored variants fits a request (RFC 9111 4.1). Pure. */
import { field, type Headers, listItems } from '../headers.ts';

/** The selecting fields of an answer with the values of the request that brought it; '' where it had none. */
export type Selection = readonly (readonly [name: string, value: string])[];

/** The value of a field in a request, as the origin sees it. */
export type FieldOf = (name: string) => string | undefined;

/**
 * An encoded answer depends on Accept-Encoding whether its origin says so or not: without this, a client that takes no
 * gzip would get gzip from an origin that forgot to say Vary.
 */
export function selectionOf(answer: Headers, request: FieldOf): Selection {
  const names = listItems(field(answer, 'vary'));
  if (field(answer, 'content-encoding') !== undefined) names.add('accept-encoding');
  return [...names].sort().map((name) => [name, normal(request(name))] as const);
}

export function fits(selection: Selection, request: FieldOf): boolean {
  return selection.every(([name, value]) => normal(request(name)) === value);
}

/** Whitespace means nothing in a list (RFC 9110 5.6.1); anything else might. */
function normal(value: string | undefined): string {
  return (value ?? '').trim().replace(/\s*,\s*/g, ',');
}

export function sameSelection(a: Selection, b: Selection): boolean {
  return a.length === b.length && a.every(([name, value], at) => b[at]?.[0] === name && b[at][1] === value);
}

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
  return [...names].sort().map((name) => [name, normal(name, request(name))] as const);
}

export function fits(selection: Selection, request: FieldOf): boolean {
  return selection.every(([name, value]) => normal(name, request(name)) === value);
}

/** Whitespace means nothing in a list (RFC 9110 5.6.1); anything else might, unless the field is known. */
function normal(name: string, value: string | undefined): string {
  if (name === 'accept-language') return normalLanguages(value ?? '');
  return (value ?? '').trim().replace(/\s*,\s*/g, ',');
}

/**
 * Accept-Language with its ranges in lower case, by weight: that is what they mean, whatever their order (RFC 9110
 * 12.5.4). Only to select by; an origin is asked with what the client sent.
 */
function normalLanguages(value: string): string {
  const ranges = value.split(',').flatMap((item) => {
    const [range = '', ...parameters] = item.toLowerCase().split(';');
    const quality = parameters.map((text) => /^\s*q\s*=\s*([\d.]+)/.exec(text)?.[1]).find(Boolean);
    return range.trim() === '' ? [] : [{ range: range.trim(), weight: Number(quality ?? 1) }];
  });
  const sorted = ranges.sort((a, b) => b.weight - a.weight || (a.range < b.range ? -1 : 1));
  return sorted.map(({ range, weight }) => (weight === 1 ? range : `${range};q=${weight}`)).join(',');
}

export function sameSelection(a: Selection, b: Selection): boolean {
  return a.length === b.length && a.every(([name, value], at) => b[at]?.[0] === name && b[at][1] === value);
}

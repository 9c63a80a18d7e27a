/**
 * An answer that broke off is incomplete (RFC 9111 3.3); its rest may be asked for, and put behind what has come, when
 * both are of one representation by a strong validator (RFC 9111 3.4, RFC 9110 15.3.7.3). Pure.
 */
import { field, type Headers } from '../headers.ts';

interface Answered {
  status: number;
  headers: Headers;
}

/** The fields that ask for what is behind the first `received` bytes, or nothing where the rest cannot be told apart. */
export function furtherRange({ status, headers }: Answered, received: number): Headers | undefined {
  const etag = strongTag(headers);
  if (status !== 200 || etag === undefined || field(headers, 'accept-ranges') === 'none') return undefined;
  return [
    ['range', `bytes=${received}-`],
    ['if-range', etag],
  ];
}

/** How many bytes it must have, where it is what lies behind the first `received`. */
export function lengthOfRest(rest: Answered, first: Answered, received: number): number | undefined {
  const [, from, to, total] =
    /^bytes (\d+)-(\d+)\/(\d+)$/.exec(field(rest.headers, 'content-range') ?? '') ?? [];
  const length = field(first.headers, 'content-length');
  const is =
    rest.status === 206 &&
    strongTag(rest.headers) === strongTag(first.headers) &&
    field(rest.headers, 'content-encoding') === field(first.headers, 'content-encoding') &&
    Number(from) === received &&
    Number(to) + 1 === Number(total) &&
    (length === undefined || length === total);
  return is ? Number(total) - received : undefined;
}

function strongTag(headers: Headers): string | undefined {
  const etag = field(headers, 'etag');
  return etag?.startsWith('"') ? etag : undefined;
}

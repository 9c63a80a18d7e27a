/** What the sample origin answers: status, fields, and which bytes of which file. Pure; server.ts sends it. */
import type { IncomingHttpHeaders } from 'node:http';
import { clientHasIt, rangeStillHolds } from '../../edge/cache/conditional.ts';
import { type ByteRange, parseRange, resolveRange } from '../../edge/cache/range.ts';
import type { StoredFile } from './files.ts';

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Text, or a part of a file. */
  body: string | { file: string; range: ByteRange };
  delayMs?: number;
}

/** All files are of this moment: the same seed gives the same validators after a restart. */
const LAST_MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';
const MADE = Date.parse(LAST_MODIFIED);
const SLOW_MS = 1_000;

/** A file, whole or in one part, or the news that the client has it already. */
export function answerFile(file: StoredFile, request: IncomingHttpHeaders): Answer {
  const validators = [
    ['etag', file.etag],
    ['last-modified', LAST_MODIFIED],
  ] as const;
  const headers = {
    ...Object.fromEntries(validators),
    'cache-control': `public, max-age=${file.maxAge}`,
    'accept-ranges': 'bytes',
  };
  if (clientHasIt(request, validators, MADE)) return { status: 304, headers, body: '' };

  const ifRange = String(request['if-range'] ?? '') || undefined;
  const asked = rangeStillHolds(ifRange, validators, MADE) ? parseRange(request.range) : undefined;
  const range = asked && resolveRange(asked, file.length);
  if (range === 'unsatisfiable') {
    const unsatisfied = { ...headers, 'content-range': `bytes */${file.length}`, 'content-length': '0' };
    return { status: 416, headers: unsatisfied, body: '' };
  }
  const { first, last } = range ?? { first: 0, last: file.length - 1 };
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      'content-type': file.type,
      'content-length': String(last - first + 1),
      ...(range && { 'content-range': `bytes ${first}-${last}/${file.length}` }),
    },
    body: { file: file.file, range: { first, last } },
  };
}

/** Paths with a purpose of their own; `now` is a time for people, so that a cached answer shows its age. */
export function answerSpecial(path: string, files: readonly StoredFile[], now: string): Answer | undefined {
  switch (path) {
    case '/':
      return text('text/html', 'public, max-age=10', listing(files));
    case '/private':
      return text('text/plain', 'private, no-store', `for you alone, at ${now}\n`);
    case '/slow': {
      const answer = text('text/plain', 'public, max-age=60', `made in one second, at ${now}\n`);
      return { ...answer, delayMs: SLOW_MS };
    }
    default:
      return undefined;
  }
}

export function text(type: string, cacheControl: string, body: string, status = 200): Answer {
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': cacheControl,
  };
  return { status, headers, body };
}

/** Relative links: they lead on through whatever the page came through. */
function listing(files: readonly StoredFile[]): string {
  const rows = files.map(
    ({ path, type, length }) =>
      `<li><a href="${path.slice(1)}">${path}</a> ${type.split(';')[0]}, ${length} bytes</li>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Weir’s sample origin</title>
<h1>Weir’s sample origin</h1>
<ul>
${rows.join('\n')}
<li><a href="private">/private</a> must not be stored by a shared cache</li>
<li><a href="slow">/slow</a> takes a second to make</li>
</ul>
</html>
`;
}

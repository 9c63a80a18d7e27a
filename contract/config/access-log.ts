/** What each edge writes down of each request. */
import { z } from 'zod';

/** What a line may tell. */
export const ACCESS_LOG_FIELDS = [
  'time',
  'node',
  'domain',
  'client',
  'protocol',
  'method',
  'scheme',
  'host',
  'url',
  'status',
  'bytes',
  'result',
  'ms',
  'referer',
  'userAgent',
] as const;

export type AccessLogField = (typeof ACCESS_LOG_FIELDS)[number];

const FIELD = /\{([^{}]*)\}/g;

export const accessLog = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Where to; `{node}` stands for the edge’s name, and its own folder is where it begins. By default standard output. ' +
          'One that was renamed or removed is opened anew within a second, and on SIGUSR1 at once.',
      ),
    format: z
      .string()
      .max(2_000)
      .refine((text) => [...text.matchAll(FIELD)].every(([, name]) => isField(name)), {
        message: `a text with fields in braces, each one of ${ACCESS_LOG_FIELDS.join(', ')}`,
      })
      .optional()
      .describe(
        `A line as a text, such as \`{client} "{method} {url}" {status}\`; fields: ${ACCESS_LOG_FIELDS.join(', ')}. ` +
          'By default JSON with all of them.',
      ),
    sample: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe('The share of requests that is written down; those that ended in a 5xx always are.'),
    domains: z
      .array(z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, 'namespace/name of a CdnDomain'))
      .max(10_000)
      .optional()
      .describe('Only these, as `namespace/name`; by default all, and what was for none.'),
  })
  .describe('An access log of each edge. Absent: none.');

export type AccessLogSettings = z.output<typeof accessLog>;

function isField(name: string | undefined): boolean {
  return ACCESS_LOG_FIELDS.some((field) => field === name);
}

/** What is wrong with an input, for the person who wrote it: where, what stands there, and what is allowed. */
import type { ObjectRef } from './kinds/metadata.ts';
import { formatRef } from './kinds/metadata.ts';

export interface Problem {
  file: string;
  /** From 1. */
  line: number;
  /** The object, as far as its identity can be read. */
  ref?: ObjectRef;
  /** `spec.origins[0].url`; empty for the whole document. */
  path: string;
  /** What stands there, as JSON, cut to a length that fits a line. */
  value?: string;
  /** One CamelCase word that scripts can rely on. */
  reason:
    | 'SyntaxError'
    | 'Invalid'
    | 'UnknownKind'
    | 'Duplicate'
    | 'Conflict'
    | 'Missing'
    | 'NotAllowed'
    | 'Quarantined';
  message: string;
}

/** `video.yaml:7: CdnDomain demo/video: spec.origin: unknown field; …` */
export function formatProblem({ file, line, ref, path, value, message }: Problem): string {
  const place = [`${file}:${line}`, ref && formatRef(ref), path].filter((part) => part).join(': ');
  return `${place}: ${value === undefined ? '' : `${value}: `}${message}`;
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

const SHOWN = 80;
/** `//user:password@`: problems go to logs and statuses, secrets do not. */
const URL_PASSWORD = /(\/\/[^:@/\s"]*):[^@/\s"]+@/g;
const SECRET_KEY = /^(password|secret|token)$/i;

/** The value at a path, as short JSON without passwords; nothing where nothing stands. */
export function shownValue(document: unknown, path: readonly PropertyKey[]): string | undefined {
  if (SECRET_KEY.test(String(path.at(-1)))) return undefined;
  const value = path.reduce<unknown>(
    (inner, key) => (inner !== null && typeof inner === 'object' ? Reflect.get(inner, key) : undefined),
    document,
  );
  const text = JSON.stringify(value)?.replaceAll(URL_PASSWORD, '$1:…@');
  return text === undefined || text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

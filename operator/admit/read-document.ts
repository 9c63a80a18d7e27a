/** One document to one candidate: identity, spec with defaults, or all that is wrong with it. Pure. */
import { z } from 'zod';
import { allowedKeys } from '../../contract/kinds/allowed-keys.ts';
import { API_VERSION, type KindName } from '../../contract/kinds/kind.ts';
import { KINDS, type SpecOf } from '../../contract/kinds/kinds.ts';
import { manifestSchema, type ObjectRef, SERVER_KEYS } from '../../contract/kinds/metadata.ts';
import { dnsLabel } from '../../contract/kinds/scalars.ts';
import { formatPath, type Problem, shownValue } from '../../contract/problem.ts';
import { memo } from '../../lib/memo.ts';
import type { SourceDocument } from '../source/source.ts';
import { resourceKey } from './snapshot.ts';

/** A manifest that its own schema accepts; whether it fits the others is seen later. */
export interface Candidate {
  document: SourceDocument;
  ref: ObjectRef;
  spec: SpecOf[KindName];
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface Reading {
  document: SourceDocument;
  /** As far as it can be read; nothing when the document does not say what it is. */
  ref: ObjectRef | undefined;
  /** Of that. */
  key: string | undefined;
  candidate: Candidate | undefined;
  problems: Problem[];
}

const SCHEMAS = {
  CdnDomain: manifestSchema(KINDS.CdnDomain),
  EdgeNode: manifestSchema(KINDS.EdgeNode),
  PurgeJob: manifestSchema(KINDS.PurgeJob),
  Certificate: manifestSchema(KINDS.Certificate),
};

/** A document that did not change is read once: a source hands over the same one. */
export const readDocument = memo((document: SourceDocument): Reading => {
  const reading = read(document);
  return { ...reading, key: reading.ref && resourceKey(reading.ref) };
});

function read(document: SourceDocument): Omit<Reading, 'key'> {
  const { syntaxError, value, file } = document;
  if (syntaxError) {
    const problem: Problem = {
      file,
      line: syntaxError.line,
      path: '',
      reason: 'SyntaxError',
      message: syntaxError.message,
    };
    return { document, ref: undefined, candidate: undefined, problems: [problem] };
  }
  const kind = kindOf(value);
  if (!kind) return { document, ref: undefined, candidate: undefined, problems: [unknownKind(document)] };
  const ref = identityOf(kind, value);
  const parsed = SCHEMAS[kind].safeParse(value);
  if (!parsed.success) {
    return {
      document,
      ref,
      candidate: undefined,
      problems: problemsOf(SCHEMAS[kind], parsed.error, document, ref),
    };
  }
  const { metadata, spec } = parsed.data;
  const namespace =
    'namespace' in metadata && typeof metadata.namespace === 'string' ? metadata.namespace : '';
  const candidate: Candidate = {
    document,
    ref: { kind, namespace, name: metadata.name },
    // The schema of this kind made it; the table of schemas by kind loses that.
    spec: spec as SpecOf[KindName],
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
  };
  return { document, ref: candidate.ref, candidate, problems: [] };
}

function kindOf(value: unknown): KindName | undefined {
  const kind = field(value, 'kind');
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? (kind as KindName) : undefined;
}

/**
 * The name is readable in most documents that are wrong elsewhere: their last accepted form stays in force. What can't
 * be a name is none: names become paths of the state folder.
 */
function identityOf(kind: KindName, value: unknown): ObjectRef | undefined {
  const metadata = field(value, 'metadata');
  const name = field(metadata, 'name');
  const namespace = field(metadata, 'namespace') ?? 'default';
  const names = z.tuple([dnsLabel, dnsLabel]).safeParse([name, namespace]);
  if (!names.success) return undefined;
  return { kind, name: names.data[0], namespace: KINDS[kind].scope === 'Namespaced' ? names.data[1] : '' };
}

function field(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined;
}

function unknownKind(document: SourceDocument): Problem {
  return problemAt(
    document,
    ['kind'],
    'UnknownKind',
    `one of ${Object.keys(KINDS).join(', ')} of ${API_VERSION}`,
  );
}

/** A problem at a path of a document, with the line and the value that stand there. */
export function problemAt(
  document: SourceDocument,
  path: readonly PropertyKey[],
  reason: Problem['reason'],
  message: string,
  ref?: ObjectRef,
): Problem {
  const value = shownValue(document.value, path);
  return {
    file: document.file,
    line: document.line(path),
    ...(ref && { ref }),
    path: formatPath(path),
    ...(value !== undefined && { value }),
    reason,
    message,
  };
}

/** Every issue that zod found, unknown keys one by one: people fix all of them at once. */
export function problemsOf(
  schema: z.ZodType,
  error: z.ZodError,
  document: SourceDocument,
  ref?: ObjectRef,
): Problem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys')
      return [problemAt(document, issue.path, 'Invalid', wording(issue), ref)];
    const allowed = allowedKeys(schema, issue.path)?.filter((key) => !SERVER_KEYS.has(key));
    const message = `unknown field; allowed here: ${allowed?.join(', ') ?? 'none'}`;
    return issue.keys.map((key) => problemAt(document, [...issue.path, key], 'Invalid', message, ref));
  });
}

/** zod says "received undefined" where a person would say that something is missing. */
function wording({ message }: { message: string }): string {
  return message.replace(/^Invalid input: (expected .*), received undefined$/, 'required here; $1');
}

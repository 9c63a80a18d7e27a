/** YAML text to documents that know their lines. A document that does not parse leaves the others of its file alone. */
import { type Document, isNode, isScalar, LineCounter, parseAllDocuments, type YAMLError } from 'yaml';
import { messageOf } from '../../../lib/message-of.ts';
import type { SourceDocument } from '../source.ts';
import type { ManifestFile } from './read-folder.ts';

export function parseDocuments({ path, text }: ManifestFile): SourceDocument[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines });
  // An empty file parses to no document at all.
  if (!Array.isArray(parsed)) return [];
  return parsed.filter(hasContent).map((document) => ({
    file: path,
    line: (keys) => lineOf(document, lines, keys),
    ...contentOf(document),
  }));
}

/** `---` with nothing but comments behind it is no document of anybody's. */
function hasContent(document: Document): boolean {
  const { contents, errors } = document;
  const nothing = contents === null || (isScalar(contents) && contents.value === null);
  return errors.length > 0 || !nothing;
}

function contentOf(document: Document): Pick<SourceDocument, 'value' | 'syntaxError'> {
  const [error] = document.errors;
  if (error)
    return { value: undefined, syntaxError: { line: lineOfError(error), message: firstLine(error.message) } };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    // An alias bomb shows itself here rather than on parsing.
    return {
      value: undefined,
      syntaxError: { line: 1, message: messageOf(error) },
    };
  }
}

function lineOf(document: Document, lines: LineCounter, keys: readonly PropertyKey[]): number {
  for (let depth = keys.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(keys.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function lineOfError(error: YAMLError): number {
  return error.linePos?.[0].line ?? 1;
}

/** The library adds a drawing of the place below the message. */
function firstLine(message: string): string {
  return message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? message;
}

/** One line of the access log. Pure. */
import { ACCESS_LOG_FIELDS, type AccessLogField } from '../../contract/config/access-log.ts';

export interface Entry extends Record<AccessLogField, string | number | undefined> {
  time: string;
  status: number;
}

export type FormatLine = (entry: Entry) => string;

export function lineFormat(format: string | undefined): FormatLine {
  // Field by field, so that a line has its fields in one order, whatever made the entry.
  if (format === undefined) return (entry) => `${JSON.stringify(entry, [...ACCESS_LOG_FIELDS])}\n`;
  const parts = format.split(/\{([^{}]*)\}/);
  return (entry) => `${parts.map((part, at) => (at % 2 === 0 ? part : shown(entry, part))).join('')}\n`;
}

function shown(entry: Entry, name: string): string {
  const value = Reflect.get(entry, name) as string | number | undefined;
  return value === undefined || value === '' ? '-' : plain(String(value));
}

/** A client must not be able to end a line, or a pair of quotes, and begin what looks like another. */
function plain(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

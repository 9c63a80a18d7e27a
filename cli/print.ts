/** Results on standard output, for people and for scripts. */
import { stringify } from 'yaml';

export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

export function printValue(value: unknown, format: 'json' | 'yaml'): void {
  const text =
    format === 'json'
      ? JSON.stringify(value, undefined, 2)
      : stringify(value, { lineWidth: 110, aliasDuplicateObjects: false }).trimEnd();
  printLines([text]);
}

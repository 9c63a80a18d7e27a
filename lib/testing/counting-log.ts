/** For tests: a log whose lines can be looked at. */
import pino from 'pino';
import type { Log } from '../log.ts';

export function countingLog(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

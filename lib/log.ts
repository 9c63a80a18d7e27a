import pino from 'pino';
import { LogDestination } from './log-destination.ts';

export type Log = pino.Logger;

/**
 * A program's log: JSON lines on standard output, or lines for people when that is a terminal (or the parent that
 * shares ours says so with WEIR_LOG_PRETTY=1). WEIR_LOG_LEVEL sets the level, `info` by default. A command whose
 * standard output is its result logs to standard error, `descriptor` 2.
 */
export function createLog(
  program: string,
  bindings: Record<string, unknown> = {},
  descriptor: 1 | 2 = 1,
): Log {
  const { isTTY } = descriptor === 1 ? process.stdout : process.stderr;
  const pretty = isTTY || process.env.WEIR_LOG_PRETTY === '1';
  const options: pino.LoggerOptions = {
    name: program,
    level: process.env.WEIR_LOG_LEVEL ?? 'info',
    base: { ...bindings },
    timestamp: pino.stdTimeFunctions.isoTime,
    // A line that reaches a log must never carry what opens a door.
    redact: {
      paths: ['token', '*.token', 'headers.authorization', '*.headers.authorization'],
      censor: '[secret]',
    },
    formatters: { level: (level) => ({ level }) },
  };
  if (!pretty) return pino(options, destination(descriptor));
  const transport = pino.transport({
    target: 'pino-pretty',
    options: {
      destination: descriptor,
      ignore: 'pid,hostname',
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
    },
  });
  // A transport with its own worker wants the level as a number.
  const { formatters: _formatters, ...rest } = options;
  return pino(rest, transport);
}

const destinations = new Map<number, LogDestination>();

function destination(descriptor: number): LogDestination {
  const known = destinations.get(descriptor);
  if (known) return known;
  const made = new LogDestination(descriptor);
  destinations.set(descriptor, made);
  process.once('exit', () => made.flushSync());
  return made;
}

/** For tests and for code whose caller wants no log. */
export const silentLog: Log = pino({ level: 'silent' });

/** A duration on the command line, in milliseconds. */
import { InvalidArgumentError } from 'commander';
import { DURATION_PATTERN, durationMs } from '../lib/duration.ts';

export function durationArgument(text: string): number {
  if (DURATION_PATTERN.test(text) && durationMs(text) > 0) return durationMs(text);
  throw new InvalidArgumentError('A duration: a whole number and ms, s, m, h or d, such as 10m.');
}

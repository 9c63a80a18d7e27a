/** Where the log of `weir standalone` and of what it starts goes: standard error, so that standard output has results. */
import type { Log } from '../../lib/log.ts';
import { createLog } from '../../lib/log.ts';

const STDERR = 2 as const;

/** On a terminal the programs keep to warnings, unless more is asked for: the screen is for what was printed. */
export function childLogging(verbose: boolean): { env: NodeJS.ProcessEnv; logTo: number } {
  const terminal = process.stderr.isTTY;
  const level = process.env.WEIR_LOG_LEVEL ?? (terminal && !verbose ? 'warn' : 'info');
  const pretty = terminal ? { WEIR_LOG_PRETTY: '1' } : {};
  return { env: { ...process.env, ...pretty, WEIR_LOG_LEVEL: level }, logTo: STDERR };
}

export function supervisorLog(): Log {
  return createLog('standalone', {}, STDERR);
}

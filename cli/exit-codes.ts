/** Exit codes of the `weir` command: the one place where they are written, for code and for `--help`. */

export const EXIT = { ok: 0, failed: 1, usage: 2, timedOut: 3, unreachable: 4 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANINGS: Record<keyof typeof EXIT, string> = {
  ok: 'done',
  failed: 'problems were found, or what was asked for failed or does not exist',
  usage: 'the command line is wrong',
  timedOut: 'what was waited for did not happen in time',
  unreachable: 'neither the operator nor a state folder could be asked',
};

export const EXIT_CODES_HELP = [
  '',
  'Exit codes:',
  ...Object.entries(EXIT).map(([name, code]) => `  ${code}  ${MEANINGS[name as keyof typeof EXIT]}`),
].join('\n');

/** Ends the command with this code and a message for the person who typed it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * The `weir` command: one file or folder for each of its commands.
 *
 *     weir standalone | get | top | explain | explain-url | validate | compile | purge | prefetch | force | what-if | dnssec |
 *          token | join
 *     kubectl weir get | top | explain | purge | prefetch
 */
import { Command, CommanderError } from 'commander';
import { packageVersion } from '../lib/package-version.ts';
import { compileCommand } from './compile.ts';
import { dnssecCommand } from './dnssec/command.ts';
import { CommandError, EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import { explainCommand } from './explain/command.ts';
import { explainUrlCommand } from './explain-url/command.ts';
import { forceCommand } from './force.ts';
import { getCommand } from './get/command.ts';
import { PLUGIN } from './installation/options.ts';
import { joinCommand } from './join/command.ts';
import { tokenCommand } from './join/token.ts';
import { prefetchCommand } from './prefetch/command.ts';
import { purgeCommand } from './purge/command.ts';
import { standaloneCommand } from './standalone/command.ts';
import { topCommand } from './top/command.ts';
import { validateCommand } from './validate.ts';
import { whatIfCommand } from './what-if/command.ts';

/** Those that need no more than what a Kubernetes API tells. */
const PLUGIN_COMMANDS = [getCommand, topCommand, explainCommand, purgeCommand, prefetchCommand];

const COMMANDS = [
  standaloneCommand,
  ...PLUGIN_COMMANDS,
  explainUrlCommand,
  forceCommand,
  whatIfCommand,
  dnssecCommand,
  tokenCommand,
  joinCommand,
  validateCommand,
  compileCommand,
];

/** Under the name that people typed: `weir`, or PLUGIN. */
export async function main(argv: readonly string[], name = 'weir'): Promise<void> {
  // A reader that has seen enough (`weir get | head`) is no fault of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.ok);
  });
  const code = await weir(argv, name);
  // Once all that was printed before has gone out: a pipe takes its time on some systems.
  process.stdout.write('', () => process.exit(code));
}

/** Runs one command; resolves with its exit code. */
export async function weir(argv: readonly string[], name = 'weir'): Promise<number> {
  const program = new Command(name)
    .description('A private CDN: DNS that knows where clients are, and caching edges near them.')
    .version(packageVersion(), '-v, --version')
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .addHelpText('afterAll', EXIT_CODES_HELP);
  for (const add of name === PLUGIN ? PLUGIN_COMMANDS : COMMANDS) add(program);
  process.exitCode = EXIT.ok;
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode);
  } catch (error) {
    return exitCodeOf(error);
  } finally {
    process.exitCode = undefined;
  }
}

/** Says what went wrong, unless commander did already; a bug shows its stack. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof CommandError) && !isSystemError(error)) throw error;
  process.stderr.write(`weir: ${error.message}\n`);
  return error instanceof CommandError ? error.exitCode : EXIT.failed;
}

/** A file or socket that does not do what it should, told as it is or by who needed it: the message names it. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && ('syscall' in error || isSystemError(error.cause));
}

if (import.meta.main) await main(process.argv);

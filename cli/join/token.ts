/**
 * `weir token create|list|revoke`: tokens by which machines join, asked of the operator with the token of its state
 * folder. The text of a token is printed once, on standard output, and stored nowhere.
 */
import { type Command, Option } from 'commander';
import type { JoinTokenView, NewJoinToken } from '../../contract/stream/join.ts';
import { role } from '../../contract/stream/messages.ts';
import { messageOf } from '../../lib/message-of.ts';
import { textTable } from '../../lib/text-table.ts';
import { durationArgument } from '../duration-argument.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { OperatorRefused } from '../installation/operator-client.ts';
import { addStateOptions, openState, type StateOptions } from '../installation/state-folder.ts';
import { printLines, printValue } from '../print.ts';

interface Printing extends StateOptions {
  output: 'text' | 'json';
}

interface CreateOptions extends Printing {
  role: NewJoinToken['role'];
  node?: string;
  /** Milliseconds. */
  for: number;
}

const HOUR_MS = 3_600_000;

export function tokenCommand(program: Command): void {
  const token = program.command('token').description('tokens by which a machine joins, once each');
  addStateOptions(token.command('create'))
    .description('make one and print it; it is shown only now')
    .addOption(new Option('--role <role>', 'what will join').choices(role.options).makeOptionMandatory())
    .option('--node <name>', 'for which EdgeNode (needed for an edge), or dns-server')
    .addOption(
      new Option('--for <duration>', 'how long it may wait; at most 7d')
        .argParser(durationArgument)
        .default(HOUR_MS, '1h'),
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExample:\n  weir join --operator https://weir.example.net:8700 --token "$(weir token create --role edge --node zz-9)"',
    )
    .action(create);
  addStateOptions(token.command('list'))
    .description('show those that were made, without what it takes to use them')
    .addOption(outputOption())
    .action(list);
  addStateOptions(token.command('revoke'))
    .argument('<id>', 'as `weir token list` shows it')
    .description('forget one, used or not; certificates that it gave stay good: see `trust.deny`')
    .action(revoke);
}

const outputOption = () =>
  new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');

async function create({
  role: agentRole,
  node,
  for: lifetime,
  output,
  ...state
}: CreateOptions): Promise<void> {
  const { operator } = await openState(state);
  const asked = { role: agentRole, lifetime, ...(node !== undefined && { node }) };
  const token = await answered(operator.makeJoinToken(asked));
  if (output === 'json') printValue({ token, ...asked }, 'json');
  else printLines([token]);
}

async function list({ output, ...state }: Printing): Promise<void> {
  const { operator } = await openState(state);
  const tokens = await answered(operator.joinTokens());
  if (output === 'json') printValue(tokens, 'json');
  else if (tokens.length === 0) printLines(['there is no join token']);
  else
    printLines(textTable([['ID', 'ROLE', 'NODE', 'STATE'], ...tokens.map((view) => row(view, Date.now()))]));
}

function row({ id, role: agentRole, node = 'any', used, expires }: JoinTokenView, now: number): string[] {
  return [id, agentRole, node, stateOf(used, expires, now)];
}

function stateOf(used: number | undefined, expires: number, now: number): string {
  if (used !== undefined) return `used ${timeText(used)}`;
  return now < expires ? `good until ${timeText(expires)}` : `expired ${timeText(expires)}`;
}

const timeText = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

async function revoke(id: string, state: StateOptions): Promise<void> {
  const { operator } = await openState(state);
  await answered(operator.revokeJoinToken(id));
  printLines([`${id} is revoked`]);
}

/** An operator that says no is told apart from one that is not there. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    const why = messageOf(error);
    throw new CommandError(error instanceof OperatorRefused ? EXIT.failed : EXIT.unreachable, why);
  });
}

/** `weir force NODE up|down|auto`: says what a node's health is, whatever probes see, and returns when that is durable. */
import { Argument, type Command, Option } from 'commander';
import type { ForceRequest } from '../contract/stream/operator-api.ts';
import { messageOf } from '../lib/message-of.ts';
import { durationArgument } from './duration-argument.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { OperatorRefused } from './installation/operator-client.ts';
import { addStateOptions, openState, type StateOptions } from './installation/state-folder.ts';
import { printLines } from './print.ts';

interface ForceOptions extends StateOptions {
  /** Milliseconds. */
  for?: number;
}

const STATES = { up: 'Up', down: 'Down', auto: 'Auto' } as const;

export function forceCommand(program: Command): void {
  const command = program
    .command('force')
    .argument('<node>', 'the EdgeNode')
    .addArgument(new Argument('<state>', 'auto leaves it to the probes again').choices(Object.keys(STATES)))
    .description('say that a node is up or down, whatever health checks see')
    .addOption(
      new Option('--for <duration>', 'how long (default: until `auto`)').argParser(durationArgument),
    );
  addStateOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir force zz-1 down --for 10m
  weir force zz-1 auto`,
    )
    .action(force);
}

async function force(node: string, said: keyof typeof STATES, options: ForceOptions): Promise<void> {
  if (said === 'auto' && options.for !== undefined) {
    throw new CommandError(EXIT.usage, '--for: `auto` has no end');
  }
  const { operator } = await openState(options);
  const until = options.for === undefined ? undefined : Date.now() + options.for;
  const asked: ForceRequest = { node, state: STATES[said], ...(until !== undefined && { until }) };
  await operator.force(asked).catch((error: unknown) => {
    const code = error instanceof OperatorRefused ? EXIT.failed : EXIT.unreachable;
    throw new CommandError(code, `${node} is as it was: ${messageOf(error)}`);
  });
  printLines([textOf(asked)]);
}

function textOf({ node, state, until }: ForceRequest): string {
  if (state === 'Auto') return `${node}: by its health checks`;
  const end =
    until === undefined ? `until \`weir force ${node} auto\`` : `until ${new Date(until).toISOString()}`;
  return `${node}: ${state.toLowerCase()} ${end}`;
}

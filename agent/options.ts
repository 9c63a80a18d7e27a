/** The part of a program's command line by which it finds the operator, and what it shows to it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AgentOptions } from './agent.ts';
import { operatorUrls } from './whereabouts.ts';

export interface AgentFlags
  extends Pick<
    AgentOptions<'edge'>,
    'operator' | 'joinTokenFile' | 'serviceAccountTokenFile' | 'operatorCa' | 'credential'
  > {
  /** Its own folder. */
  state: string;
}

export function addAgentOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--operator <urls>', 'where the operator is; its replicas separated by commas')
        .argParser(operatorsArgument)
        .makeOptionMandatory(),
    )
    .requiredOption('--state <folder>', 'folder of its own, for what it was given and what it keeps')
    .option(
      '--credential <folder>',
      'its key and certificate (default: credential/ in the folder of --state)',
    )
    .option('--join-token-file <file>', 'a token for the first certificate; needs no more once there is one')
    .option(
      '--service-account-token-file <file>',
      'in a pod: the projected token for the first certificate, made for the audience `weir`',
    )
    .option('--operator-ca <file>', 'the operator’s CAs, PEM, beside those that came with the certificate');
}

/** Of `--operator`: URLs as they are given, without their paths. */
export function operatorsArgument(text: string): string {
  const parsed = operatorUrls(text);
  if (parsed?.every((url) => url.startsWith('https:'))) return parsed.join(',');
  throw new InvalidArgumentError('URLs such as https://127.0.0.1:8700, separated by commas.');
}

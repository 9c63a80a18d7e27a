/** `weir what-if FILE --queries LOG`: what share of the queries would go to other nodes if these manifests applied. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { comparePlans } from '../../dns-server/compare-plans.ts';
import { messageOf } from '../../lib/message-of.ts';
import { acceptedFiles } from '../../operator/source/folder/accepted-files.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { oneView } from '../explain/view.ts';
import { standaloneInstallation } from '../installation/standalone.ts';
import { addStateOptions, commandLog, openState, type StateOptions } from '../installation/state-folder.ts';
import { printLines, printValue } from '../print.ts';
import { comparisonText } from './format.ts';
import { planAfter } from './manifests.ts';
import { madeUpQueries, parseQueries } from './queries.ts';

interface WhatIfOptions extends StateOptions {
  queries?: string;
  generate: number;
  at?: number;
  output: 'text' | 'json';
}

export function whatIfCommand(program: Command): void {
  const command = program
    .command('what-if')
    .argument('<file...>', 'manifests that would be added, or take the place of those of their names')
    .description('print what share of the queries would go to other nodes if these manifests applied')
    .option('--queries <log>', 'lines `client name [type] [count]`; made up where there is none')
    .addOption(
      new Option('--generate <count>', 'how many to make up').argParser(positive).default(10_000, '10000'),
    )
    .addOption(new Option('--at <time>', 'at what time, for shifts (default: now)').argParser(time))
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  addStateOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir what-if new-node.yaml
  weir what-if video.yaml --queries queries.log --at 2026-11-11T00:00:00+08:00 -o json`,
    )
    .action(whatIf);
}

function positive(text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number from 1 on.');
}

function time(text: string): number {
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new InvalidArgumentError('A time such as 2026-11-11T00:00:00+08:00.');
}

async function whatIf(files: readonly string[], options: WhatIfOptions): Promise<void> {
  const opened = await openState(options);
  const installation = standaloneInstallation(opened, undefined);
  const changes = await Promise.all(files.map(async (path) => ({ path, text: await readText(path) })));
  const accepted = await acceptedFiles(opened.state, commandLog()).load();
  const { plan: after, problems } = planAfter(accepted, changes, new Date().toISOString());
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (after === undefined || problems.length > 0) {
    throw new CommandError(
      EXIT.failed,
      'nothing is compared: the manifests would not be accepted as they are',
    );
  }
  const { published, table, health } = oneView(await installation.routing());
  const names = after.domains.flatMap(({ hostnames }) => hostnames.slice(0, 1));
  const comparison = await comparePlans({
    before: published.plan,
    after,
    table,
    health,
    now: options.at ?? Date.now(),
    queries:
      options.queries === undefined
        ? madeUpQueries(names, options.generate)
        : await readQueries(options.queries),
    ...(await installation.geoFiles()),
  });
  if (options.output === 'json') printValue(comparison, 'json');
  else printLines(comparisonText(comparison));
}

async function readQueries(path: string) {
  const { queries, faults } = parseQueries(await readText(path));
  for (const fault of faults.slice(0, 10)) process.stderr.write(`${path}: ${fault}\n`);
  if (queries.length > 0) return queries;
  throw new CommandError(EXIT.usage, `${path}: no line of it is a query`);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.usage, `${path}: ${messageOf(error)}`);
  }
}

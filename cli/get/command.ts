/** `weir get [kind] [name]`: what is in force, and how it fares. */
import { type Command, Option } from 'commander';
import { API_VERSION, type KindDefinition } from '../../contract/kinds/kind.ts';
import { KINDS, kindByName } from '../../contract/kinds/kinds.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  addInstallationOptions,
  type InstallationOptions,
  withInstallation,
} from '../installation/options.ts';
import { printLines, printValue } from '../print.ts';
import { detail } from './detail.ts';
import { tables } from './tables.ts';

interface GetOptions extends InstallationOptions {
  output: 'table' | 'json' | 'yaml';
}

export function getCommand(program: Command): void {
  const command = program
    .command('get')
    .argument('[kind]', `${kindNames()}; all when left out`)
    .argument('[name]', 'one resource, with its conditions')
    .description('print resources as a table, or one with its conditions')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'),
    );
  addInstallationOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir get
  weir get edgenodes
  weir get cdn video -n demo
  weir get purgejobs -o json`,
    )
    .action(get);
}

async function get(kind: string | undefined, name: string | undefined, options: GetOptions): Promise<void> {
  const definition = kind === undefined ? undefined : knownKind(kind);
  const resources = await withInstallation(options, (installation) =>
    installation.resources(definition?.kind),
  );
  const found = resources.filter(({ metadata }) => name === undefined || metadata.name === name);
  const what = [definition?.kind ?? 'resource', name].filter(Boolean).join(' ');
  if (found.length === 0 && name !== undefined) throw new CommandError(EXIT.failed, `there is no ${what}`);

  const [single] = found;
  const one = name !== undefined && found.length === 1 ? single : undefined;
  if (options.output !== 'table') printValue(one ? manifest(one) : listOf(found), options.output);
  else if (one) printLines(detail(one, Date.now()));
  else if (found.length > 0) printLines(tables(found, Date.now()));
  else process.stderr.write(`weir: there is no ${what}\n`);
}

function knownKind(text: string): KindDefinition {
  const definition = kindByName(text);
  if (definition) return definition;
  throw new CommandError(EXIT.usage, `${text} is no kind: ${kindNames()}`);
}

function kindNames(): string {
  return Object.values<KindDefinition>(KINDS)
    .map(({ plural, shortNames }) => [plural, ...shortNames].join('|'))
    .join(', ');
}

/** As `kubectl get -o yaml` prints an object and a list. */
function manifest({ kind, metadata, spec, status }: ResourceView) {
  const { namespace, ...rest } = metadata;
  const named = { ...rest, ...(namespace !== '' && { namespace }) };
  return { apiVersion: API_VERSION, kind, metadata: named, spec, status };
}

const listOf = (views: readonly ResourceView[]) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: views.map(manifest),
});

/** `weir dnssec ds ZONE`, `weir dnssec rollover ZONE`: the public side of a zone's keys, and their replacement. */
import type { Command } from 'commander';
import { dsData, dsText } from '../../contract/dns/dnskey.ts';
import { wireOfText } from '../../contract/dns/name-text.ts';
import { publicPart, type RolloverPhase, type ZoneKeys, zoneKeys } from '../../contract/dns/zone-keys.ts';
import { DEFAULT_STATE_FOLDER } from '../../contract/state-folder.ts';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type InstallationState, openState, type StateOptions } from '../installation/state-folder.ts';
import { printLines, printValue } from '../print.ts';

interface DsOptions extends StateOptions {
  output: 'text' | 'json';
}

export function dnssecCommand(program: Command): void {
  const dnssec = program.command('dnssec').description('the keys of zones that are signed');
  dnssec
    .command('ds')
    .argument('<zone>', 'a zone of weir.yaml with dnssec: true')
    .description('print the DS records that the zone’s parent should have')
    .option('--state <dir>', 'state folder of the installation', DEFAULT_STATE_FOLDER)
    .option('-o, --output <format>', 'how to print: text or json', 'text')
    .addHelpText('after', '\nExample:\n  weir dnssec ds cdn.example.net')
    .action(printDs);
  dnssec
    .command('rollover')
    .argument('<zone>', 'a zone of weir.yaml with dnssec: true')
    .description(
      'replace the zone’s key: both keys sign until the parent has the new DS and its old one is forgotten',
    )
    .option('--state <dir>', 'state folder of the installation', DEFAULT_STATE_FOLDER)
    .addHelpText('after', '\nExample:\n  weir dnssec rollover cdn.example.net')
    .action(askForRollover);
}

async function printDs(zone: string, options: DsOptions): Promise<void> {
  const keys = await keysOf(zone, await openState(options));
  const records = keys.keys
    .filter(({ announced }) => announced)
    .map((key) => {
      const { dnskey, tag } = publicPart(key);
      return { zone, tag, ds: dsText(dsData(wireOfText('@', zone), dnskey)) };
    });
  if (options.output === 'json') return printValue({ records, rollover: keys.rollover ?? null }, 'json');
  printLines([
    ...records.map(({ ds }) => `${zone}. IN DS ${ds}`),
    ...(keys.rollover ? [HINTS[keys.rollover.phase]] : []),
  ]);
}

const HINTS: Record<RolloverPhase, string> = {
  Publishing: '; a rollover is under way: this will be replaced, leave it for now',
  AwaitingDs: '; a rollover is under way: put this at the parent in the place of the old DS',
  Retiring: '; a rollover is under way: the old key signs on until the old DS is forgotten everywhere',
};

async function askForRollover(zone: string, options: StateOptions): Promise<void> {
  const installation = await openState(options);
  const { rollover } = await keysOf(zone, installation);
  if (rollover) throw new CommandError(EXIT.failed, `a rollover of ${zone} is under way: ${rollover.phase}`);
  await writeFileAtomic(installation.state.rollover(zone), '');
  printLines([
    `the operator will add a key to ${zone}; \`weir dnssec ds ${zone}\` says when the parent has to change`,
  ]);
}

async function keysOf(zone: string, { state, config }: InstallationState): Promise<ZoneKeys> {
  const text = await readFileIfThere(state.zoneKeys(zone));
  if (text !== undefined) return zoneKeys.parse(JSON.parse(text));
  const signed = config?.zones.filter(({ dnssec }) => dnssec).map(({ name }) => name) ?? [];
  throw new CommandError(EXIT.failed, `no key of ${zone}; zones with dnssec: ${signed.join(', ') || 'none'}`);
}

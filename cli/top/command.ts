/** `weir top`: how busy edges and domains are, looked at again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DURATION_PATTERN, durationMs } from '../../lib/duration.ts';
import type { Installation } from '../installation/installation.ts';
import {
  addInstallationOptions,
  type InstallationOptions,
  withInstallation,
} from '../installation/options.ts';
import { printLines } from '../print.ts';
import { type Top, topOf, topText } from './rows.ts';

interface TopOptions extends InstallationOptions {
  once?: boolean;
  /** Milliseconds. */
  interval: number;
  output?: 'table' | 'json';
}

/** Cursor home, clear to the end: no flicker, and what was there before stays in the scrollback. */
const CLEAR = '\u001b[H\u001b[J';
const PLENTY = 1_000;

export function topCommand(program: Command): void {
  const command = program
    .command('top')
    .description('print how busy edges and domains are, again and again')
    .option('--once', 'once, and no more')
    .addOption(
      new Option('--interval <duration>', 'how often; edges tell every 10 s')
        .argParser(interval)
        .default(2_000, '2s'),
    )
    .addOption(
      new Option(
        '-o, --output <format>',
        'how to print (default: a table on a terminal, else a line of JSON each time)',
      ).choices(['table', 'json']),
    );
  addInstallationOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir top
  weir top --once -o table
  weir top --interval 10s | jq -c '.edges[] | [.node, .requestsPerSecond]'`,
    )
    .action((options: TopOptions) => withInstallation(options, (installation) => top(installation, options)));
}

function interval(text: string): number {
  if (DURATION_PATTERN.test(text) && durationMs(text) > 0) return durationMs(text);
  throw new InvalidArgumentError('A duration: a whole number and ms, s, m, h or d, such as 5s.');
}

async function top(installation: Installation, { once, interval: pause, output }: TopOptions): Promise<void> {
  const { isTTY } = process.stdout;
  const format = output ?? (isTTY ? 'table' : 'json');
  const live = isTTY && format === 'table' && !once;
  for (;;) {
    const now = await look(installation);
    if (live) process.stdout.write(CLEAR);
    if (format === 'json') printLines([JSON.stringify({ at: new Date().toISOString(), ...now })]);
    else printLines(topText(now, live ? roomFor(now) : PLENTY));
    if (once) return;
    await sleep(pause);
  }
}

async function look(installation: Installation): Promise<Top> {
  const [resources, busyness] = await Promise.all([installation.resources(), installation.busyness()]);
  return topOf(resources, busyness);
}

/** Domains that fit below the edges; the busiest come first. */
function roomFor({ edges }: Top): number {
  const HEADERS_AND_GAPS = 5;
  return Math.max(3, (process.stdout.rows ?? 24) - edges.length - HEADERS_AND_GAPS);
}

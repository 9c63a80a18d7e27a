/** `weir explain-url URL --edge NAME`: what an edge would do with a request, told by that edge. */
import { type Command, Option } from 'commander';
import { request } from 'undici';
import { EXPLAIN_PATH, type UrlExplanation } from '../../edge/explain-url.ts';
import { formatListenAddress } from '../../lib/listen-address.ts';
import { messageOf } from '../../lib/message-of.ts';
import { textTable } from '../../lib/text-table.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  addStateOptions,
  openState,
  readResources,
  type StateOptions,
} from '../installation/state-folder.ts';
import { printLines, printValue } from '../print.ts';
import { textAt, viewsOf } from '../resource-views.ts';

interface ExplainUrlOptions extends StateOptions {
  edge?: string;
  admin?: string;
  header: string[];
  output: 'text' | 'json';
}

const TIMEOUT_MS = 5_000;

export function explainUrlCommand(program: Command): void {
  const more = (value: string, before: string[]) => [...before, value];
  const command = program
    .command('explain-url')
    .argument('<url>', 'the URL as a client would ask for it')
    .description(
      'print what an edge would do with a request: key, rule, what is stored, why it is used or not',
    )
    .option('--edge <name>', 'the EdgeNode to ask')
    .option('--admin <address>', 'where its admin port is (default: its first address, listen.edgeAdminPort)')
    .option(
      '-H, --header <field>',
      'a field of the request, such as "Accept-Encoding: gzip"; repeatable',
      more,
      [],
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  addStateOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir explain-url http://video.example.com/video.bin --edge zz-1
  weir explain-url http://video.example.com/a.js --edge zz-1 -H 'Accept-Encoding: gzip' -o json`,
    )
    .action(explainUrl);
}

async function explainUrl(url: string, options: ExplainUrlOptions): Promise<void> {
  const admin = options.admin ?? (await adminOf(options));
  const query = new URLSearchParams([['url', url], ...options.header.map((line) => ['header', line])]);
  const response = await request(`http://${admin}${EXPLAIN_PATH}?${query.toString()}`, {
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  }).catch((error: unknown) => {
    const why = messageOf(error);
    throw new CommandError(EXIT.unreachable, `the edge does not answer on ${admin} (${why})`);
  });
  // Both ends are of one installation and one version: the type is the contract.
  const explanation = (await response.body.json()) as UrlExplanation;
  if (options.output === 'json') printValue(explanation, 'json');
  else printLines(explanationText(explanation));
}

async function adminOf(options: ExplainUrlOptions): Promise<string> {
  const installation = await openState(options);
  const nodes = viewsOf(await readResources(installation), 'EdgeNode');
  const names = nodes.map(({ metadata }) => metadata.name).join(', ') || 'none';
  if (options.edge === undefined)
    throw new CommandError(EXIT.usage, `say which edge: --edge, one of ${names}`);
  const node = nodes.find(({ metadata }) => metadata.name === options.edge);
  if (node === undefined) throw new CommandError(EXIT.failed, `--edge ${options.edge}: there is ${names}`);
  const port = installation.config?.listen.edgeAdminPort ?? 8701;
  return formatListenAddress({ host: textAt(node.spec, 'addresses', 0), port });
}

export function explanationText({
  url,
  node,
  verdict,
  domain,
  rule,
  key,
  variants,
}: UrlExplanation): string[] {
  const rows = (variants ?? []).map((variant) => [
    variant.chosen ? '*' : '',
    String(variant.status),
    String(variant.size),
    `${variant.ageSeconds}s`,
    `${variant.freshSeconds}s`,
    variant.selection.map(([name, value]) => `${name}: ${value}`).join('; ') || '-',
    variant.tags.join(' ') || '-',
  ]);
  const number = rule?.number === 0 ? 'none matches: the origin’s headers rule' : `rule ${rule?.number}`;
  return [
    `${url} on ${node}: ${verdict}`,
    ...textTable([
      ...(domain === undefined ? [] : [['domain', domain]]),
      ...(rule === undefined ? [] : [['rule', `${number} ${JSON.stringify(rule.says)}`]]),
      ...(key === undefined ? [] : [['key', `${key.path}${key.query} (query: ${key.mode})`]]),
    ]),
    ...(rows.length === 0
      ? []
      : ['', ...textTable([['', 'STATUS', 'BYTES', 'AGE', 'FRESH FOR', 'VARIANT', 'TAGS'], ...rows])]),
  ];
}

/** `weir explain HOSTNAME --client IP`: why this client gets this answer, by the code that answers. */
import { type Command, Option } from 'commander';
import type { RoutingView } from '../../contract/stream/operator-api.ts';
import { clientFromText } from '../../dns-server/answer/client.ts';
import { explainDomain } from '../../dns-server/explain-domain.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  addInstallationOptions,
  type InstallationOptions,
  withInstallation,
} from '../installation/options.ts';
import { printLines, printValue } from '../print.ts';
import { explanationText } from './format.ts';
import { tlsLines } from './tls.ts';
import { oneView } from './view.ts';

interface ExplainOptions extends InstallationOptions {
  client: string;
  type: 'A' | 'AAAA';
  output: 'text' | 'json';
}

export function explainCommand(program: Command): void {
  const command = program
    .command('explain')
    .argument('<hostname>', 'a hostname or alias of a domain, or its CNAME target')
    .description('print why a client gets the answer that it gets: region, ISP, and every candidate in order')
    .requiredOption('--client <ip>', 'the client’s address or network, such as 202.102.224.68')
    .addOption(new Option('--type <type>', 'the record asked for').choices(['A', 'AAAA']).default('A'))
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .option('--config <file>', 'with a Kubernetes API: a weir.yaml instead of the one in force');
  addInstallationOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir explain video.example.com --client 202.102.224.68
  weir explain video.demo.cdn.example.net --client 2408:8000::/20 --type AAAA -o json`,
    )
    .action(explain);
}

async function explain(hostname: string, options: ExplainOptions): Promise<void> {
  const { client, type, output } = options;
  if (!clientFromText(client)) {
    throw new CommandError(
      EXIT.usage,
      `--client ${client}: an IP address or network, such as 202.102.224.68 or 2001:db8::/40`,
    );
  }
  const [view, geoFiles, domains] = await withInstallation(options, (installation) =>
    Promise.all([
      installation.routing(),
      installation.geoFiles(),
      // Whoever may not list them gets the rest of the explanation.
      installation.resources('CdnDomain').catch(() => []),
    ]),
  );
  const explanation = await explainDomain({
    ...oneView(view),
    ...geoFiles,
    name: hostname,
    client,
    now: Date.now(),
    family: type === 'A' ? 4 : 6,
  });
  if (!explanation) throw new CommandError(EXIT.failed, unknownHostname(hostname, view));
  if (output === 'json') printValue(explanation, 'json');
  else printLines([...explanationText(explanation), ...tlsLines(explanation.domain, domains)]);
}

function unknownHostname(hostname: string, { published }: RoutingView): string {
  const known = published.plan.domains.flatMap(({ hostnames }) => hostnames).slice(0, 20);
  return `no domain has the name ${hostname}; there is ${known.join(', ') || 'no domain at all'}`;
}

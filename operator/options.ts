/** The operator's command line. */
import { Command, Option } from 'commander';
import type { Clock } from '../lib/clock.ts';
import { type ListenAddress, parseListenAddress } from '../lib/listen-address.ts';
import type { Log } from '../lib/log.ts';
import type { AcmeOptions } from './lead.ts';

interface CommonOptions {
  /** What must survive; where a Kubernetes API holds that, the token and keys that it does not hold. */
  state: string;
  listen: ListenAddress;
  /** Where /healthz, /readyz and /metrics are; by default on the same port. */
  admin?: ListenAddress;
  /** Names and addresses by which agents reach the port, beside this machine's own and that of `listen`. */
  serverNames?: string[];
  clock?: Clock;
  /** The time of day, by which others judge our certificates; a test that moves `clock` does not move it for them. */
  timeOfDay?: Clock;
  /** For tests of what is ordered from ACME servers. */
  acme?: AcmeOptions;
  log?: Log;
}

interface FolderOptions extends CommonOptions {
  folder: string;
}

interface KubernetesOptions extends CommonOptions {
  /** The path of weir.yaml. */
  config: string;
  kubeconfig?: string;
  /** Namespaces whose resources count; all where nothing is said. */
  namespaces?: readonly string[];
  /** The URL at which agents and people reach this replica; by default where it listens, unless that is every address. */
  advertise?: string;
}

export type OperatorOptions = FolderOptions | KubernetesOptions;

export function readOptions(argv: readonly string[]): OperatorOptions {
  const program = new Command('weir-operator')
    .description('Reconciles manifests, and serves plans to dns-servers and edges.')
    .addOption(
      new Option('--source <source>', 'where manifests come from')
        .choices(['folder', 'kubernetes'])
        .default('folder'),
    )
    .option('--folder <dir>', 'folder: the manifests, with weir.yaml at the root')
    .option('--config <file>', 'kubernetes: weir.yaml')
    .option(
      '--kubeconfig <file>',
      'kubernetes: whom to speak to; by default as kubectl, or as the pod that this is',
    )
    .option(
      '--watch-namespace <name...>',
      'kubernetes: only resources of this namespace count; repeatable (default: of all)',
    )
    .requiredOption(
      '--state <dir>',
      'folder: where what must survive is kept; kubernetes: where the agents’ token and keys lie',
    )
    .option(
      '--advertise <url>',
      'kubernetes: where this replica is reached while it leads; by default where it listens',
    )
    .option('--listen <address>', 'address and port for agents and `weir`, with TLS', '127.0.0.1:8700')
    .option(
      '--server-name <name...>',
      'names and addresses by which agents reach it, beside loopback and that of --listen; repeatable',
    )
    .option(
      '--admin <address>',
      '/healthz, /readyz and /metrics without TLS (default: on the port of --listen, with and without)',
    )
    .addHelpText('after', '\nExample:\n  node operator/main.ts --folder examples/quickstart --state .weir\n');
  const flags = program.parse(argv).opts<Flags>();
  const usage = (message: string) => program.error(message, { exitCode: 2 });
  const address = (flag: string, text: string) =>
    parseListenAddress(text) ?? usage(`${flag} ${text}: an IP address and a port`);
  const { folder, config, kubeconfig, watchNamespace: namespaces, advertise } = flags;
  const common = {
    state: flags.state,
    listen: address('--listen', flags.listen),
    ...(flags.admin !== undefined && { admin: address('--admin', flags.admin) }),
    ...(flags.serverName && { serverNames: flags.serverName }),
  };
  return flags.source === 'folder'
    ? { ...common, folder: folder ?? usage('--folder is needed with --source folder') }
    : {
        ...common,
        config: config ?? usage('--config is needed with --source kubernetes'),
        ...(kubeconfig !== undefined && { kubeconfig }),
        ...(namespaces && { namespaces }),
        ...(advertise !== undefined && {
          advertise: baseUrl(advertise) ?? usage(`--advertise ${advertise}: an https URL without a path`),
        }),
      };
}

/** An address to which paths are appended. */
function baseUrl(text: string): string | undefined {
  const url = URL.parse(text);
  const plain = url?.protocol === 'https:' && url.pathname === '/' && url.search === '';
  return plain ? url.origin : undefined;
}

interface Flags {
  source: 'folder' | 'kubernetes';
  folder?: string;
  config?: string;
  kubeconfig?: string;
  watchNamespace?: string[];
  advertise?: string;
  state: string;
  listen: string;
  serverName?: string[];
  admin?: string;
}

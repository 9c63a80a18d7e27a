/** The dns-server's command line. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type AgentFlags, addAgentOptions } from '../agent/options.ts';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../lib/listen-address.ts';
import { BATCH_MODES, type BatchMode } from './listen/choose-udp.ts';

export interface DnsServerOptions extends AgentFlags {
  name: string;
  listen: ListenAddress[];
  /** Whether UDP is answered in batches, by threads of their own. */
  batch?: BatchMode;
  /** Threads for each address; by default one less than there are cores. */
  workers?: number;
  admin: ListenAddress;
  /** PEM files; with both of them it listens for DNS over TLS and over HTTPS too. */
  tlsCertificate?: string;
  tlsKey?: string;
  dot?: ListenAddress[];
  doh?: ListenAddress[];
  /** PEM file: CAs that HTTPS probes trust beside the usual ones. */
  probeCa?: string;
  geoDatabase?: string[];
  geoAsn?: string[];
  geoNetworks?: string[];
}

/** Not commander's default: that one would be the first of those that are given. */
const LISTEN: ListenAddress = { host: '127.0.0.1', port: 5_300 };

const EXAMPLE = `
Example:
  node dns-server/main.ts --name dns-1 --operator https://127.0.0.1:8700 --join-token-file .weir/token \\
    --operator-ca .weir/trust/ca.pem \\
    --state .weir/dns-server --listen 127.0.0.1:5300 --admin 127.0.0.1:8702
  dig @127.0.0.1 -p 5300 video.demo.cdn.example.net`;

export function readOptions(argv: readonly string[]): DnsServerOptions {
  const command = addAgentOptions(new Command('dns-server'))
    .description('Answers DNS queries for the zones and domains of the plan that the operator publishes.')
    .requiredOption('--name <name>', 'a stable name of this dns-server', 'dns-1')
    .addOption(
      new Option(
        '--listen <address...>',
        `IP address and port for UDP and TCP; repeatable (default: ${formatListenAddress(LISTEN)})`,
      ).argParser(listenAddresses),
    )
    .addOption(
      new Option(
        '--batch <mode>',
        'answer UDP in batches, by threads of their own: where it works, always, never',
      )
        .choices(BATCH_MODES)
        .default('auto'),
    )
    .addOption(
      new Option(
        '--workers <count>',
        'threads for each address (default: one less than there are cores)',
      ).argParser(count),
    )
    .addOption(
      new Option('--admin <address>', 'IP address and port of /healthz, /readyz and /metrics')
        .argParser(listenAddress)
        .default({ host: '127.0.0.1', port: 8702 }, '127.0.0.1:8702'),
    )
    .option('--tls-certificate <file>', 'certificate and chain, PEM, for DNS over TLS and HTTPS')
    .option('--tls-key <file>', 'its private key, PEM')
    .addOption(
      new Option('--dot <address...>', 'IP address and port for DNS over TLS; repeatable').argParser(
        listenAddresses,
      ),
    )
    .addOption(
      new Option('--doh <address...>', 'IP address and port for DNS over HTTPS; repeatable').argParser(
        listenAddresses,
      ),
    )
    .option(
      '--probe-ca <file>',
      'CA certificates, PEM, that HTTPS probes trust beside the usual ones (healthCheck.verifyCertificate)',
    )
    .option(
      '--geo-database <file...>',
      'MMDB files, first match wins (default: DB-IP Lite, which comes along)',
    )
    .option(
      '--geo-asn <file...>',
      'AS numbers: MMDB, or CSV files `first,last,asn,name` (default: those of @ip-location-db/asn)',
    )
    .option('--geo-networks <file...>', 'CSV files `prefix,region,asn` of your own')
    .addHelpText('after', EXAMPLE);
  return { listen: [LISTEN], ...command.parse(argv).opts<Omit<DnsServerOptions, 'listen'>>() };
}

function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (!address)
    throw new InvalidArgumentError('An IP address and a port, such as 127.0.0.1:5300 or [::1]:5300.');
  return address;
}

function listenAddresses(text: string, before: ListenAddress[] = []): ListenAddress[] {
  return [...before, listenAddress(text)];
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 64) throw new InvalidArgumentError('From 1 to 64.');
  return number;
}

/** The edge's command line. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type AgentFlags, addAgentOptions } from '../agent/options.ts';
import { type EdgeSettings, edgeSettings } from '../contract/config/edge-settings.ts';
import { edgeNodeName } from '../contract/kinds/node-name.ts';
import { BYTE_SIZE_PATTERN, byteSize } from '../lib/byte-size.ts';
import { DURATION_PATTERN, durationMs } from '../lib/duration.ts';
import { type ListenAddress, parseListenAddress } from '../lib/listen-address.ts';

export interface EdgeOptions extends AgentFlags {
  /** The EdgeNode's name. */
  node: string;
  listen: ListenAddress[];
  listenTls: ListenAddress[];
  admin: ListenAddress;
  /** Bytes of the memory tier and of the disk tier. */
  memory: number;
  disk: number;
  settings: EdgeSettings;
  /** Milliseconds. */
  drain: number;
}

const EXAMPLE = `
Example:
  node edge/main.ts --node zz-1 --operator https://127.0.0.1:8700 --join-token-file .weir/token \\
    --operator-ca .weir/trust/ca.pem \\
    --state .weir/edges/zz-1 --listen 127.0.2.1:8080 --listen-tls 127.0.2.1:8443 --admin 127.0.2.1:8701
  curl -i -H 'Host: video.example.com' http://127.0.2.1:8080/`;

export function readOptions(argv: readonly string[]): EdgeOptions {
  return addAgentOptions(new Command('edge'))
    .description(
      'Serves the domains of the plan that the operator publishes, from its cache and their origins.',
    )
    .addOption(
      new Option('--node <name>', 'the EdgeNode that this edge is, or the Kubernetes node that it runs on')
        .argParser(edgeNodeName)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--listen <address>', 'IP address and port for clients; repeatable')
        .argParser(listenAddresses)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--listen-tls <address>', 'IP address and port for clients over TLS; repeatable')
        .argParser(listenAddresses)
        .default([], 'none'),
    )
    .addOption(
      new Option('--admin <address>', 'IP address and port of /healthz, /readyz and /metrics')
        .argParser(listenAddress)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--memory <size>', 'what the memory tier may hold; copies for sendfile take an eighth more')
        .argParser(size)
        .default(byteSize('64MiB'), '64MiB'),
    )
    .addOption(
      new Option('--disk <size>', 'what the disk tier may hold')
        .argParser(size)
        .default(byteSize('1GiB'), '1GiB'),
    )
    .addOption(
      new Option(
        '--drain <duration>',
        'told to stop, it says so to dns-servers and serves on for this long: longer than the TTL of answers',
      )
        .argParser(duration)
        .default(0, '0s'),
    )
    .addOption(
      new Option('--settings <json>', 'the sections of weir.yaml that are about edges, as JSON')
        .argParser(settings)
        .default(edgeSettings.parse({}), 'all defaults'),
    )
    .addHelpText('after', EXAMPLE)
    .parse(argv)
    .opts<EdgeOptions>();
}

function listenAddresses(text: string, before: ListenAddress[] | undefined): ListenAddress[] {
  return [...(before ?? []), listenAddress(text)];
}

function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined) {
    throw new InvalidArgumentError('An IP address and a port, such as 127.0.2.1:8080 or [::1]:8080.');
  }
  return address;
}

function size(text: string): number {
  if (!BYTE_SIZE_PATTERN.test(text)) {
    throw new InvalidArgumentError('A whole number and KiB, MiB, GiB or TiB, such as 64MiB.');
  }
  return byteSize(text);
}

function duration(text: string): number {
  if (!DURATION_PATTERN.test(text))
    throw new InvalidArgumentError('A number and ms, s, m or h, such as 75s.');
  return durationMs(text);
}

function settings(text: string): EdgeSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('JSON such as {"limits":{"headerCount":50}}.');
  }
  const parsed = edgeSettings.safeParse(value);
  if (!parsed.success) throw new InvalidArgumentError(z.prettifyError(parsed.error));
  return parsed.data;
}

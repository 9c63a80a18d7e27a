/**
 * What `weir standalone` runs, as one table: made from the settings and the edges that are on this machine. Pure; a
 * program whose row changes is started anew.
 */
import { resolve } from 'node:path';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../../lib/listen-address.ts';

/** An EdgeNode whose first address is on this machine. */
export interface LocalEdge {
  name: string;
  region: string | undefined;
  /** Those of its addresses that are here; not empty. */
  addresses: string[];
  port: number;
  tlsPort: number | undefined;
}

export interface Installation {
  folder: string;
  state: StateFolder;
  config: WeirConfig;
  edges: LocalEdge[];
}

/** Where a program listens, and which setting says so. */
export interface Place {
  address: ListenAddress;
  protocol: 'tcp' | 'udp';
  setting: string;
}

export interface Program {
  name: string;
  /** Its main module, without the extension (lib/code-files.ts). */
  module: string;
  args: string[];
  places: Place[];
  /**
   * Those of a later stage wait for those of the ones before: agents need the operator's token, and the dns-server's
   * first look at the edges should find them.
   */
  stage: 0 | 1 | 2;
  /** Answers 200 once the program can do its work. */
  readyUrl: string;
}

export function programs(installation: Installation): Program[] {
  const { config, edges } = installation;
  return [
    ...(config.sampleOrigin ? [sampleOrigin(installation, config.sampleOrigin)] : []),
    operator(installation),
    dnsServer(installation),
    ...edges.map((edge) => edgeProgram(installation, edge)),
  ];
}

function sampleOrigin(
  { state }: Installation,
  { listen, seed }: NonNullable<WeirConfig['sampleOrigin']>,
): Program {
  return {
    name: 'sample origin',
    module: 'cli/sample-origin/main',
    args: ['--listen', listen, '--seed', String(seed), '--folder', state.sampleOrigin],
    places: [tcp(listen, 'weir.yaml: sampleOrigin.listen')],
    stage: 0,
    readyUrl: `http://${listen}/__stats`,
  };
}

function operator({ folder, state, config: { listen } }: Installation): Program {
  return {
    name: 'operator',
    module: 'operator/main',
    args: ['--folder', folder, '--state', state.root, '--listen', listen.operator],
    places: [tcp(listen.operator, 'weir.yaml: listen.operator')],
    stage: 0,
    readyUrl: `http://${listen.operator}/readyz`,
  };
}

function dnsServer({ folder, state, config }: Installation): Program {
  const { listen, geo, probes } = config;
  // The files are named relative to weir.yaml, which lies at the folder's root.
  const files = (flag: string, paths: readonly string[] = []) =>
    paths.flatMap((path) => [flag, resolve(folder, path)]);
  return {
    name: 'dns-server',
    module: 'dns-server/main',
    args: [
      '--name',
      'dns-1',
      ...agentArgs(config, state, state.dnsServer),
      ...listen.dns.flatMap((address) => ['--listen', address]),
      '--batch',
      listen.batch,
      '--admin',
      listen.dnsAdmin,
      ...(listen.dnsTls ? tlsArgs(listen.dnsTls, folder) : []),
      ...files('--probe-ca', probes ? [probes.ca] : []),
      ...files('--geo-database', geo?.databases),
      ...files('--geo-asn', geo?.asn),
      ...files('--geo-networks', geo?.networks),
    ],
    places: [
      ...listen.dns.flatMap((address) => [
        tcp(address, 'weir.yaml: listen.dns'),
        { ...tcp(address, 'weir.yaml: listen.dns'), protocol: 'udp' as const },
      ]),
      ...(listen.dnsTls?.dot ?? []).map((address) => tcp(address, 'weir.yaml: listen.dnsTls.dot')),
      ...(listen.dnsTls?.doh ?? []).map((address) => tcp(address, 'weir.yaml: listen.dnsTls.doh')),
      tcp(listen.dnsAdmin, 'weir.yaml: listen.dnsAdmin'),
    ],
    stage: 2,
    readyUrl: `http://${listen.dnsAdmin}/readyz`,
  };
}

function edgeProgram(
  { state, config }: Installation,
  { name, addresses: [first = '', ...others], port, tlsPort }: LocalEdge,
): Program {
  const on = (each: number) => [first, ...others].map((host) => formatListenAddress({ host, port: each }));
  const serving = on(port);
  const encrypted = tlsPort === undefined ? [] : on(tlsPort);
  const admin = formatListenAddress({ host: first, port: config.listen.edgeAdminPort });
  return {
    name: `edge ${name}`,
    module: 'edge/main',
    args: [
      '--node',
      name,
      ...agentArgs(config, state, state.edge(name)),
      ...serving.flatMap((address) => ['--listen', address]),
      ...encrypted.flatMap((address) => ['--listen-tls', address]),
      '--admin',
      admin,
      '--memory',
      config.cache.memory,
      '--disk',
      config.cache.disk,
      ...settingsArgs(config),
    ],
    places: [
      ...serving.map((address) => tcp(address, `EdgeNode ${name}: spec.ports.http`)),
      ...encrypted.map((address) => tcp(address, `EdgeNode ${name}: spec.ports.https`)),
      tcp(admin, 'weir.yaml: listen.edgeAdminPort'),
    ],
    stage: 1,
    readyUrl: `http://${admin}/readyz`,
  };
}

function tlsArgs(
  { certificate, key, dot, doh }: NonNullable<WeirConfig['listen']['dnsTls']>,
  folder: string,
): string[] {
  return [
    '--tls-certificate',
    resolve(folder, certificate),
    '--tls-key',
    resolve(folder, key),
    ...dot.flatMap((address) => ['--dot', address]),
    ...doh.flatMap((address) => ['--doh', address]),
  ];
}

/** None where all are the defaults. */
function settingsArgs(config: WeirConfig): string[] {
  // Only its own sections: the whole of weir.yaml would start edges anew with each change of a zone.
  const own = Object.fromEntries(
    Object.keys(edgeSettings.shape).map((name) => [name, Reflect.get(config, name)]),
  );
  // As text: a section that is not there and one that is undefined are the same.
  const settings = JSON.stringify(edgeSettings.parse(own));
  return settings === JSON.stringify(edgeSettings.parse({})) ? [] : ['--settings', settings];
}

/** They join with the token of this machine, and trust the operator of this state folder. */
function agentArgs({ listen }: WeirConfig, { token, bundle }: StateFolder, own: string): string[] {
  const operator = `https://${listen.operator}`;
  return ['--operator', operator, '--join-token-file', token, '--operator-ca', bundle, '--state', own];
}

function tcp(text: string, setting: string): Place {
  const address = parseListenAddress(text);
  if (!address) throw new Error(`${setting}: ${text} passed the schema and is no address`);
  return { address, protocol: 'tcp', setting };
}

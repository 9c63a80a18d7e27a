/** What `weir standalone` prints when all is up: what runs where, the domains, and commands to try. Pure. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import { DEFAULT_STATE_FOLDER, stateFolder } from '../../contract/state-folder.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { formatListenAddress, parseListenAddress } from '../../lib/listen-address.ts';
import { textTable } from '../../lib/text-table.ts';
import { conditionOf, textAt } from '../resource-views.ts';
import { type Installation, type LocalEdge, programs } from './programs.ts';
import { type Trial, trialFor } from './sample-clients.ts';

export interface Welcome {
  installation: Installation;
  /** As they were typed. */
  folder: string;
  state: string;
  domains: readonly ResourceView<'CdnDomain'>[];
}

export function welcomeText(welcome: Welcome): string {
  const { installation, folder, state, domains } = welcome;
  const parts = [
    [`Weir runs ${folder}, with its state in ${state}.`],
    textTable(placeRows(installation)),
    ...(domains.length > 0 ? [textTable(domainRows(domains))] : []),
    tryLines(welcome),
    ['Ctrl-C stops everything.'],
  ];
  return `\n${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function placeRows(installation: Installation): string[][] {
  const { config, edges } = installation;
  const details: Record<string, string> = {
    'sample origin': `http://${config.sampleOrigin?.listen}/ lists its files`,
    operator: `admin http://${config.listen.operator}`,
    'dns-server': `UDP and TCP, zone ${config.zones.map(({ name }) => name).join(', ')}; admin http://${config.listen.dnsAdmin}`,
    ...Object.fromEntries(edges.map((edge) => [`edge ${edge.name}`, edgeDetail(config, edge)])),
  };
  const rows = programs(installation).map(({ name, places }) => {
    const admin = new Set([config.listen.dnsAdmin, ...edges.map((edge) => adminOf(config, edge))]);
    const serving = places.map(({ address }) => formatListenAddress(address));
    const shown = [...new Set(serving)].filter((address) => !admin.has(address));
    return [name, shown.join(', '), details[name] ?? ''];
  });
  return [['WHAT', 'WHERE', ''], ...rows, ['', '', 'admin: /healthz, /readyz and /metrics']];
}

const edgeDetail = (config: WeirConfig, edge: LocalEdge) =>
  `${edge.region === undefined ? '' : `region ${edge.region}; `}admin http://${adminOf(config, edge)}`;

const adminOf = ({ listen }: WeirConfig, { addresses: [host = ''] }: LocalEdge) =>
  formatListenAddress({ host, port: listen.edgeAdminPort });

function domainRows(domains: readonly ResourceView<'CdnDomain'>[]): string[][] {
  const rows = domains.map((domain) => {
    const ready = conditionOf(domain, 'Ready');
    const { namespace, name } = domain.metadata;
    const state = ready?.status === 'True' ? 'ready' : `not ready: ${ready?.message ?? 'no status yet'}`;
    return [`${namespace}/${name}`, hostnameOf(domain), domain.status.cname ?? '', state];
  });
  return [['DOMAIN', 'HOSTNAME', 'CNAME', ''], ...rows];
}

function tryLines({ installation, state, domains }: Welcome): string[] {
  // A domain that works shows more than one that does not.
  const domain =
    domains.find((candidate) => conditionOf(candidate, 'Ready')?.status === 'True') ??
    domains.find(({ status }) => status.cname !== undefined) ??
    domains[0];
  if (!domain) return [];
  const { config, edges } = installation;
  const trial = trialFor(config, edges);
  const option = state === DEFAULT_STATE_FOLDER ? '' : ` --state ${shellWord(state)}`;
  const { namespace, name } = domain.metadata;
  return [
    'To try, in another terminal:',
    ...digLines(config, domain, trial),
    ...curlLines(config, domain, trial),
    ...httpsLines({ config, state }, domain, trial),
    `  npx weir explain ${hostnameOf(domain)} --client ${trial.client}${option}`,
    `  npx weir purge --domain ${namespace}/${name} --everything${option}`,
  ];
}

function digLines(
  { listen }: WeirConfig,
  { status }: ResourceView<'CdnDomain'>,
  { client }: Trial,
): string[] {
  const server = listen.dns.map(parseListenAddress)[0];
  if (!server || status.cname === undefined) return [];
  const subnet = client.replace(/\.\d+$/, '.0/24');
  return [`  dig @${server.host} -p ${server.port} ${status.cname} +subnet=${subnet} +short`];
}

/** Twice: the first is a miss, the second a hit. */
function curlLines(config: WeirConfig, domain: ResourceView<'CdnDomain'>, { edge }: Trial): string[] {
  const [host] = edge?.addresses ?? [];
  if (!edge || host === undefined) return [];
  const hostname = hostnameOf(domain);
  const path = originOf(domain) === `http://${config.sampleOrigin?.listen}` ? '/video.bin' : '/';
  const address = host.includes(':') ? `[${host}]` : host;
  const line = `  curl -s -o /dev/null -D - --resolve ${hostname}:${edge.port}:${address} http://${hostname}:${edge.port}${path}`;
  return [line, line];
}

/** Over HTTP/2, from the same cache. */
function httpsLines(
  { config, state }: { config: WeirConfig; state: string },
  domain: ResourceView<'CdnDomain'>,
  { edge }: Trial,
): string[] {
  const hostname = hostnameOf(domain);
  const [host] = edge?.addresses ?? [];
  if (!config.sampleCertificate?.hostnames.includes(hostname)) return [];
  if (edge?.tlsPort === undefined || host === undefined) return [];
  const ca = shellWord(stateFolder(state).sampleBundle);
  const address = host.includes(':') ? `[${host}]` : host;
  const place = `${hostname}:${edge.tlsPort}`;
  return [`  curl -s -o /dev/null -D - --cacert ${ca} --resolve ${place}:${address} https://${place}/`];
}

/** Only names and addresses that passed a schema reach a command line unquoted; a folder may be called anything. */
const shellWord = (text: string) =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

const hostnameOf = ({ spec }: ResourceView<'CdnDomain'>) => textAt(spec, 'hostname');
const originOf = ({ spec }: ResourceView<'CdnDomain'>) => textAt(spec, 'origins', 0, 'url');

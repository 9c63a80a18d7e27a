/** What `weir top` shows: every edge and every domain there is, the busiest first, and what is known of each. Pure. */
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { textTable } from '../../lib/text-table.ts';
import { conditionOf, textAt, viewsOf } from '../resource-views.ts';
import type { Busyness } from './busyness.ts';

interface Rates {
  requestsPerSecond?: number;
  bitsPerSecond?: number;
  /** 0 to 1; nothing where nobody asked. */
  hitRatio?: number;
}

export interface EdgeRow extends Rates {
  node: string;
  ready: string;
  cpu?: number;
  connections?: number;
}

export interface DomainRow extends Rates {
  domain: string;
  hostname: string;
  ready: string;
}

export interface Top {
  edges: EdgeRow[];
  domains: DomainRow[];
}

export function topOf(resources: readonly ResourceView[], { nodes, domains }: Busyness): Top {
  const edges = viewsOf(resources, 'EdgeNode').map((view) => {
    const { name } = view.metadata;
    const load = nodes.get(name);
    const own = load && { cpu: load.cpu, connections: load.connections };
    return { node: name, ready: readyOf(view), ...own, ...ratesOf(load) };
  });
  const rows = viewsOf(resources, 'CdnDomain').map((view) => {
    const domain = `${view.metadata.namespace}/${view.metadata.name}`;
    const hostname = textAt(view.spec, 'hostname');
    // Edges that tell of load name the domains that got something.
    const idle = nodes.size > 0 ? { requestsPerSecond: 0, hitsPerSecond: 0, bitsPerSecond: 0 } : undefined;
    return { domain, hostname, ready: readyOf(view), ...ratesOf(domains.get(domain) ?? idle) };
  });
  return { edges: edges.sort(byRequests), domains: rows.sort(byRequests) };
}

/** As in the columns of `weir get`: the reason where it is not. */
function readyOf(view: ResourceView): string {
  const ready = conditionOf(view, 'Ready');
  return ready?.status === 'True' ? 'True' : (ready?.reason ?? 'Unknown');
}

type Load = { requestsPerSecond: number; hitsPerSecond: number; bitsPerSecond: number };

function ratesOf(load: Load | undefined): Rates {
  if (!load) return {};
  const { requestsPerSecond, hitsPerSecond, bitsPerSecond } = load;
  const hitRatio = requestsPerSecond > 0 ? { hitRatio: hitsPerSecond / requestsPerSecond } : {};
  return { requestsPerSecond, bitsPerSecond, ...hitRatio };
}

const byRequests = (a: Rates, b: Rates) => (b.requestsPerSecond ?? -1) - (a.requestsPerSecond ?? -1);

export function topText({ edges, domains }: Top, mostDomains: number): string[] {
  const shown = domains.slice(0, mostDomains);
  const rest = domains.length - shown.length;
  return [
    ...textTable([
      ['EDGE', 'READY', 'CPU', 'CONNECTIONS', 'REQUESTS', 'BANDWIDTH', 'HITS'],
      ...edges.map((row) => [
        row.node,
        row.ready,
        percent(row.cpu),
        row.connections === undefined ? UNKNOWN : String(row.connections),
        ...rateCells(row),
      ]),
    ]),
    '',
    ...textTable([
      ['DOMAIN', 'HOSTNAME', 'READY', 'REQUESTS', 'BANDWIDTH', 'HITS'],
      ...shown.map((row) => [row.domain, row.hostname, row.ready, ...rateCells(row)]),
    ]),
    ...(rest > 0 ? [`and ${rest} more`] : []),
  ];
}

const UNKNOWN = '-';

function rateCells({ requestsPerSecond, bitsPerSecond, hitRatio }: Rates): string[] {
  const requests = requestsPerSecond === undefined ? UNKNOWN : `${round(requestsPerSecond)}/s`;
  return [requests, bandwidthText(bitsPerSecond), percent(hitRatio)];
}

const percent = (share: number | undefined) =>
  share === undefined ? UNKNOWN : `${Math.round(share * 100)}%`;

/** Two figures tell small rates apart; nobody reads the decimals of large ones. */
const round = (value: number) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

const UNITS = ['bps', 'Kbps', 'Mbps', 'Gbps', 'Tbps'];

function bandwidthText(bits: number | undefined): string {
  if (bits === undefined) return UNKNOWN;
  const step = Math.max(0, Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bits)) / 3)));
  return `${round(bits / 1_000 ** step)}${UNITS[step]}`;
}

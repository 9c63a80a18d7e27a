/**
 * Explains an answer from what lies on disk or what the operator tells, with the geo data that dns-servers bring along
 * or are given. For the `weir explain` command: the effects around answer/explain.ts.
 */
import type { NodeTable } from '../contract/plans/node-table.ts';
import type { PublishedRoutingPlan } from '../contract/plans/published-plan.ts';
import type { HealthReport } from '../contract/stream/messages.ts';
import { type Client, clientFromText } from './answer/client.ts';
import { type Explanation, explain } from './answer/explain.ts';
import { readAsnTable } from './geo/asn-table.ts';
import { exactPlaces } from './geo/compile.ts';
import { embeddedAsnTables, embeddedGeoDatabases } from './geo/embedded-data.ts';
import { openGeoDatabase } from './geo/geo-database.ts';
import { readGeoFiles } from './geo/geo-files.ts';
import { type GeoData, type GeoRules, geoRulesOf } from './geo/geo-sources.ts';
import { buildRegionTable, type Places } from './geo/region-table.ts';
import { preparePlan } from './plan/prepare.ts';
import type { Family } from './plan/prepared-address.ts';
import type { PreparedPlan } from './plan/prepared-plan.ts';

/** Those that come along where nothing is said. */
export interface GeoFileChoice {
  geoDatabases?: readonly string[] | undefined;
  asnTables?: readonly string[] | undefined;
  /** CSV files `prefix,region,asn`. */
  geoNetworks?: readonly string[] | undefined;
}

export interface ExplainRequest extends GeoFileChoice {
  published: PublishedRoutingPlan;
  table: NodeTable;
  /** As one dns-server sees the nodes. */
  health: HealthReport['nodes'];
  /** A hostname of the domain or its CNAME target. */
  name: string;
  /** `202.102.224.68`, `202.102.224.0/24` or an IPv6 one. */
  client: string;
  /** Which addresses are asked for; IPv4 by default. */
  family?: Family;
  /** Milliseconds since the epoch. */
  now: number;
}

export type { Explanation };

/** Nothing when no domain has the name; throws on a client that is no address. */
export async function explainDomain(request: ExplainRequest): Promise<Explanation | undefined> {
  const client = readClient(request.client);
  const [geo, asns] = await Promise.all([
    openGeoDatabase(request.geoDatabases ?? embeddedGeoDatabases(), (fault) => {
      throw fault;
    }),
    readAsnTable(request.asnTables ?? embeddedAsnTables()),
  ]);
  const { published, table, health, name, now, family = 4 } = request;
  const plan = await placed(preparePlan(published), request);
  return explain({ plan, table, health, geo, name, client, family, now, isp: asns.find(client.address) });
}

/** The plan with the regions that dns-servers compile: found for one client, that takes no time. */
export async function placed(
  plan: PreparedPlan,
  request: GeoFileChoice,
  placesOf: (data: GeoData, rules: GeoRules) => Places = exactPlaces,
): Promise<PreparedPlan> {
  const rules = geoRulesOf(plan.published.plan);
  const { data, faults } = await readGeoFiles(
    {
      databases: request.geoDatabases ?? embeddedGeoDatabases(),
      asn: request.asnTables ?? embeddedAsnTables(),
      networks: request.geoNetworks ?? [],
    },
    rules,
  );
  const [fault] = faults;
  if (fault) throw new Error(`${fault.file}: ${fault.message}`);
  const table = buildRegionTable(rules.regions, rules.defaultRegion, data.networks);
  return { ...plan, regions: { ...table, places: placesOf(data, rules) } };
}

function readClient(text: string): Client {
  const client = clientFromText(text);
  if (client) return client;
  throw new Error(`client: ${text} is no IP address or network, such as 202.102.224.68 or 2001:db8::/40`);
}

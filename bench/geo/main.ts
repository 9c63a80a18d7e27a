/**
 * What the geo tables cost: time to compile them, memory, look-ups per second, beside maxmind's own look-ups. With the
 * data that comes along, or with files given.
 *
 *     node bench/geo/main.ts [MMDB files]
 */
import type { RoutingRegion } from '../../contract/plans/routing-plan.ts';
import { compiledPlaces } from '../../dns-server/geo/compile.ts';
import { embeddedAsnTables, embeddedGeoDatabases } from '../../dns-server/geo/embedded-data.ts';
import { openGeoDatabase } from '../../dns-server/geo/geo-database.ts';
import { runGeoJob } from '../../dns-server/geo/geo-worker.ts';
import type { IpAddress } from '../../dns-server/geo/ip-address.ts';
import { textTable } from '../../lib/text-table.ts';

const given = process.argv.slice(2);
const databases = given.length > 0 ? given : embeddedGeoDatabases();

const region = (name: string, members: Partial<RoutingRegion>): RoutingRegion => ({
  name,
  countries: [],
  subdivisions: [],
  asns: [],
  cidrs: [],
  ...members,
});
const regions = [
  region('cn-north', { subdivisions: ['CN-BJ', 'CN-TJ', 'CN-HE', 'CN-SX', 'CN-NM'] }),
  region('cn-central', { countries: ['CN'] }),
  region('eu', { countries: ['DE', 'FR', 'GB', 'NL'] }),
  region('us', { countries: ['US', 'CA'] }),
];

const rows: string[][] = [['TABLES', 'BUILD S', 'MIB', 'NODES IPV4', 'NODES IPV6', 'LOOK-UPS/S']];
for (const [name, asns] of [
  ['five regions', []],
  ['and three ISPs', [4134, 4837, 9808]],
] as const) {
  const start = performance.now();
  const { compiled, faults } = await runGeoJob({
    files: { databases, asn: embeddedAsnTables(), networks: [] },
    rules: { regions, defaultRegion: 'us', asns },
  });
  for (const { file, message } of faults) console.error(`${file}: ${message}`);
  const seconds = (performance.now() - start) / 1_000;
  const { ipv4, ipv6 } = compiled;
  const bytes = [ipv4, ipv6].reduce((sum, { root, nodes }) => sum + root.byteLength + nodes.byteLength, 0);
  const places = compiledPlaces(compiled);
  rows.push([
    name,
    seconds.toFixed(1),
    (bytes / 2 ** 20).toFixed(1),
    String(ipv4.nodes.length / 2),
    String(ipv6.nodes.length / 2),
    perSecond((client) => places.place(client)).toFixed(0),
  ]);
}
const reader = await openGeoDatabase(databases, (fault) => {
  throw fault;
});
rows.push(['maxmind alone', '', '', '', '', perSecond((client) => reader.locate(client)).toFixed(0)]);
console.log(textTable(rows).join('\n'));

/** Clients all over IPv4, the same in each run. */
function perSecond(lookUp: (client: IpAddress) => unknown): number {
  const clients = Array.from({ length: 50_000 }, (_, index): IpAddress => {
    const mixed = Math.imul(index + 1, 0x9e3779b1);
    return { version: 4, bytes: Uint8Array.of(1 + ((mixed >>> 24) % 222), mixed >>> 16, mixed >>> 8, mixed) };
  });
  for (const client of clients) lookUp(client);
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < 500) {
    for (const client of clients) lookUp(client);
    count += clients.length;
  }
  return (count / (performance.now() - start)) * 1_000;
}

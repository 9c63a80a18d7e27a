/** weir.yaml: the installation's own settings. One file, validated whole. */
import { z } from 'zod';
import {
  byteSizeText,
  cidr,
  dnsLabel,
  duration,
  hostname,
  ipAddress,
  listenAddress,
  port,
  textLike,
} from '../kinds/scalars.ts';
import { edgeSettings } from './edge-settings.ts';
import { hostnameRules } from './hostname-rules.ts';
import { rateLimit } from './rate-limit.ts';
import { redis } from './redis.ts';
import { registration } from './registration.ts';
import { trust } from './trust.ts';
import { recordProblems, type ZoneRecord, zoneRecord } from './zone-records.ts';

const zone = z
  .strictObject({
    name: hostname.describe('The zone; its parent delegates it to the name servers.'),
    nameServers: z
      .array(
        z.strictObject({
          name: hostname.describe('Its name; addresses are answered when it lies in the zone.'),
          addresses: z.array(ipAddress).max(16).default([]).describe('Its addresses.'),
        }),
      )
      .min(1)
      .max(13)
      .describe('The NS records of the zone; the first one stands in the SOA.'),
    soa: z
      .strictObject({
        contact: hostname.describe('The mailbox of who answers for the zone, with a dot for the @.'),
        negativeTtl: duration
          .default('60s')
          .describe('How long resolvers remember that a name does not exist.'),
      })
      .describe('What the SOA record says; its serial is made from the plan’s revision.'),
    dnssec: z
      .boolean()
      .default(false)
      .describe('Sign the answers; the parent then needs the DS that `weir dnssec ds` prints.'),
    records: z
      .array(zoneRecord)
      .max(10_000)
      .default([])
      .describe('Records that are the same for every client.'),
  })
  .describe('A DNS zone that Weir answers for.');

const region = z
  .strictObject({
    name: dnsLabel.describe('How EdgeNodes and other regions name it.'),
    members: z
      .strictObject({
        countries: z
          .array(textLike(/^[A-Z]{2}$/, 'two capital letters (ISO 3166-1)', 2))
          .default([])
          .describe('Countries, as ISO 3166-1 codes.'),
        subdivisions: z
          .array(textLike(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, 'a code such as CN-HA (ISO 3166-2)', 6))
          .default([])
          .describe('Provinces or states, as ISO 3166-2 codes; they win over countries.'),
        asns: z
          .array(z.int().min(1).max(4_294_967_295))
          .default([])
          .describe('Networks of these owners, as AS numbers; they win over subdivisions and countries.'),
        cidrs: z
          .array(cidr)
          .max(100_000)
          .default([])
          .describe('Networks; the longest that matches wins over all else.'),
      })
      .prefault({})
      .describe('Which clients belong to it.'),
    fallback: z
      .array(dnsLabel)
      .optional()
      .describe(
        'Regions to go to when no node of this one can answer, in order; by default the default region.',
      ),
  })
  .describe('A named group of client networks.');

const listen = z.strictObject({
  dns: z
    .array(listenAddress)
    .min(1)
    .default(['127.0.0.1:5300'])
    .describe('UDP and TCP addresses of the dns-server.'),
  batch: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe(
      'Answer UDP in batches, by threads of their own. auto: on Linux, where it works; on: do not start without; ' +
        'off: packet by packet.',
    ),
  dnsTls: z
    .strictObject({
      certificate: z.string().min(1).describe('Certificate and chain, PEM, relative to weir.yaml.'),
      key: z.string().min(1).describe('Its private key, PEM, relative to weir.yaml.'),
      dot: z.array(listenAddress).default([]).describe('Addresses for DNS over TLS (RFC 7858).'),
      doh: z
        .array(listenAddress)
        .default([])
        .describe('Addresses for DNS over HTTPS (RFC 8484), at /dns-query.'),
    })
    .optional()
    .describe('Encrypted DNS; the files are read again when they change.'),
  dnsAdmin: listenAddress
    .default('127.0.0.1:8702')
    .describe('/healthz, /readyz and /metrics of the dns-server.'),
  operator: listenAddress
    .default('127.0.0.1:8700')
    .describe('The operator: TLS for agents and `weir`; /healthz, /readyz and /metrics also without.'),
  edgeAdminPort: port
    .default(8701)
    .describe('/healthz, /readyz and /metrics of each edge, on its first address.'),
});

const dnssec = z.strictObject({
  resolver: listenAddress
    .optional()
    .describe('The resolver that is asked which DS a parent has; by default the machine’s own.'),
});

const cache = z.strictObject({
  memory: byteSizeText
    .default('64MiB')
    .describe('Bytes of small, hot objects that each edge keeps in memory.'),
  disk: byteSizeText.default('1GiB').describe('Bytes of objects that each edge keeps on disk.'),
});

const geo = z.strictObject({
  databases: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'MMDB files with country and subdivision, relative to weir.yaml; flat and GeoIP2 schemas are known. ' +
        'By default the embedded DB-IP Lite.',
    ),
  asn: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Files with AS numbers, relative to weir.yaml: MMDB (`.mmdb`), or CSV `first,last,asn,name`. ' +
        'By default those of @ip-location-db/asn.',
    ),
  networks: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'CSV files `prefix,region,asn` of your own, relative to weir.yaml; region or AS number may be empty. ' +
        'They count like `cidrs`, and win over the AS numbers of `asn`.',
    ),
});

const probes = z.strictObject({
  ca: z
    .string()
    .min(1)
    .describe(
      'CA certificates, PEM, relative to weir.yaml, that HTTPS probes trust beside the usual ones where ' +
        '`healthCheck.verifyCertificate` is true; read again when the file changes. In a cluster: `dnsServer.probeCa` of the chart.',
    ),
});

const sampleOrigin = z.strictObject({
  listen: listenAddress.describe('Where it serves.'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31)
    .default(1)
    .describe('Its files are made from this number.'),
});

const sampleCertificate = z.strictObject({
  namespace: dnsLabel.describe('Of the Secret that it becomes.'),
  name: dnsLabel.describe('Its name: what `tls.secretRef` of a CdnDomain says.'),
  hostnames: z.array(hostname).min(1).max(100).describe('What it is for.'),
});

export const weirConfig = z
  .strictObject({
    zones: z.array(zone).min(1).describe('The zones that Weir answers for.'),
    regions: z
      .array(region)
      .default([])
      .describe(
        'The regions; clients that are in none go to the default region. Without any, clients go to the nearest nodes.',
      ),
    defaultRegion: dnsLabel
      .optional()
      .describe('Where clients go that no region has; required where there are regions.'),
    hostnames: hostnameRules.optional(),
    geo: geo.optional().describe('Geo data of your own; read again whenever a file changes.'),
    probes: probes.optional().describe('How dns-servers probe edges, beside the `healthCheck` of each.'),
    listen: listen.prefault({}).describe('Where the programs of `weir standalone` listen.'),
    rateLimit: rateLimit.prefault({}),
    dnssec: dnssec.prefault({}).describe('What the rollover of a zone’s key needs.'),
    registration: registration.optional(),
    trust: trust.prefault({}).describe('Whom the operator lets in.'),
    redis: redis
      .optional()
      .describe(
        'With several replicas of the operator: a Redis between them, so that each of them serves agents. Read when the ' +
          'operator starts.',
      ),
    cache: cache.prefault({}).describe('Limits of each edge’s cache.'),
    ...edgeSettings.shape,
    sampleCertificate: sampleCertificate
      .optional()
      .describe(
        '`weir standalone` alone: a Secret with a certificate of a CA of its own, kept in the state folder, to try HTTPS out.',
      ),
    sampleOrigin: sampleOrigin.optional().describe('Start an origin with sample files, to try Weir out.'),
  })
  .check(({ value, issues }) => {
    for (const { path, message } of crossReferences(value)) {
      issues.push({ code: 'custom', path, message, input: value });
    }
  })
  .describe(
    'The installation’s own settings, one file at the root of the folder. Names of zones and of regions stand once; ' +
      '`defaultRegion` and `fallback` name regions of the file, and no region falls back to itself.',
  );

export type WeirConfig = z.output<typeof weirConfig>;
type Problem = { path: (string | number)[]; message: string };

/** What no single field can tell: names that must exist, and names that must not stand twice. */
function crossReferences(config: {
  zones: { name: string; records: ZoneRecord[] }[];
  regions: { name: string; fallback?: string[] | undefined }[];
  defaultRegion?: string | undefined;
  registration?: { regions: Record<string, string> } | undefined;
}): Problem[] {
  const names = config.regions.map(({ name }) => name);
  const known = `one of the regions: ${names.join(', ')}`;
  const problems: Problem[] = [
    ...twice(names).map((index) => ({
      path: ['regions', index, 'name'],
      message: 'a region’s name stands once',
    })),
    ...twice(config.zones.map(({ name }) => name)).map((index) => ({
      path: ['zones', index, 'name'],
      message: 'a zone’s name stands once',
    })),
    ...config.zones.flatMap(({ name }, index) =>
      name.length <= MAX_ZONE
        ? []
        : [
            {
              path: ['zones', index, 'name'],
              message: `at most ${MAX_ZONE} characters: NODE.node.ZONE is a name`,
            },
          ],
    ),
    ...config.zones.flatMap(({ name, records }, index) =>
      recordProblems(name, records).map(({ path, message }) => ({
        path: ['zones', index, 'records', ...path],
        message,
      })),
    ),
  ];
  const { defaultRegion } = config;
  if (defaultRegion === undefined ? names.length > 0 : !names.includes(defaultRegion)) {
    problems.push({ path: ['defaultRegion'], message: known });
  }
  for (const [index, { name, fallback = [] }] of config.regions.entries()) {
    for (const [position, other] of fallback.entries()) {
      const path = ['regions', index, 'fallback', position];
      if (!names.includes(other)) problems.push({ path, message: known });
      else if (other === name) problems.push({ path, message: 'another region than itself' });
    }
  }
  for (const [label, region] of Object.entries(config.registration?.regions ?? {})) {
    if (!names.includes(region)) {
      problems.push({ path: ['registration', 'regions', label], message: known });
    }
  }
  return problems;
}

/** A node's name is a label, and `<name>.node.<zone>` has to be a name: 253 characters (RFC 1035 2.3.4). */
const MAX_ZONE = 253 - '.node.'.length - 63;

/** Positions at which a value stands that stood before. */
function twice(values: string[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}

/** The peers, as Debian has them: how each is told of the world, and started on a port. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mmdbOf } from '../../dns-server/testing/mmdb.ts';
import type { Server } from './server.ts';
import { addressesOf, NS, networksOf, REGIONS, TTL, ZONE } from './world.ts';

const zoneHead = `@ ${TTL} SOA ${NS}. hostmaster.${ZONE}. 1 3600 600 1209600 60\n@ ${TTL} NS ns1\nns1 ${TTL} A 127.0.0.1\n`;
const relative = (name: string) => name.slice(0, -ZONE.length - 1);

export const gdnsd = gdnsdWith('gdnsd', 1);
/** Each with a socket, as Weir's workers: what a second one costs a C server on these cores. */
export const gdnsdTwoThreads = gdnsdWith('gdnsd two threads', 2);

function gdnsdWith(name: string, threads: number): Server {
  return {
    name,
    async prepare(folder, port, { names }) {
      for (const part of ['zones', 'run', 'state', 'geoip']) await mkdir(join(folder, part));
      const networks = REGIONS.flatMap((region, index) =>
        networksOf(index).map((net) => `${net} => [${region}]`),
      );
      const sites = REGIONS.map((region, index) => `${region} => [${addressesOf(index).join(', ')}]`);
      await writeFile(
        join(folder, 'config'),
        `options => { listen => 127.0.0.1:${port}, run_dir => ${join(folder, 'run')}, state_dir => ${join(folder, 'state')}, ` +
          `udp_threads => ${threads}, tcp_threads => 1, max_edns_response => 1232 }\n` +
          'service_types => { fixed => { plugin => static, state => up } }\n' +
          `plugins => { static => { up => 127.0.0.1 }, geoip => { maps => { m => { datacenters => [${REGIONS.join(', ')}], nets => { ${networks.join(', ')} } } }, ` +
          `resources => { edges => { map => m, service_types => fixed, dcmap => { ${sites.join(', ')} } } } } }\n`,
      );
      const records = names.map((name) => `${relative(name)} ${TTL} DYNA geoip!edges\n`);
      await writeFile(join(folder, 'zones', ZONE), zoneHead + records.join(''));
      return ['gdnsd', '-c', folder, 'start'];
    },
  };
}

export const knot: Server = {
  name: 'knot',
  async prepare(folder, port, { names }) {
    await writeFile(join(folder, `${ZONE}.zone`), `$ORIGIN ${ZONE}.\n${zoneHead}`);
    const rows = REGIONS.flatMap((_, index) =>
      networksOf(index).map((net) => `  - net: ${net}\n    A: [${addressesOf(index).join(', ')}]\n`),
    ).join('');
    await writeFile(join(folder, 'geo.conf'), names.map((name) => `${name}:\n${rows}`).join(''));
    await writeFile(
      join(folder, 'knot.conf'),
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${folder}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n` +
        `  edns-client-subnet: on\ndatabase:\n  storage: ${folder}\nlog:\n  - target: stderr\n    any: error\n` +
        `mod-cookies:\n  - id: c\nmod-geoip:\n  - id: g\n    config-file: ${join(folder, 'geo.conf')}\n    ttl: ${TTL}\n    mode: subnet\n` +
        `zone:\n  - domain: ${ZONE}\n    storage: ${folder}\n    file: ${ZONE}.zone\n    module: [mod-cookies/c, mod-geoip/g]\n`,
    );
    return ['knotd', '-c', join(folder, 'knot.conf')];
  },
};

/** Its backend takes networks from an MMDB file: each region is a country. */
export const pdns: Server = {
  name: 'pdns',
  async prepare(folder, port, { names }) {
    const codes = REGIONS.map((_, index) => `R${index}`);
    const networks = REGIONS.flatMap((_, index) =>
      networksOf(index).map((net) => [net, { country: { iso_code: codes[index] ?? '' } }] as const),
    );
    await writeFile(join(folder, 'world.mmdb'), mmdbOf(Object.fromEntries(networks)));
    const records = REGIONS.map(
      (_, index) =>
        `      ${codes[index]?.toLowerCase()}.sites.${ZONE}:\n${addressesOf(index)
          .map((address) => `        - a: ${address}\n`)
          .join('')}`,
    ).join('');
    await writeFile(
      join(folder, 'geo.yaml'),
      `domains:\n  - domain: ${ZONE}\n    ttl: ${TTL}\n    records:\n` +
        `      ${ZONE}:\n        - soa: ${NS} hostmaster.${ZONE} 1 3600 600 1209600 60\n        - ns: ${NS}\n` +
        `${records}    services:\n${names.map((name) => `      ${name}: '%cc.sites.${ZONE}'\n`).join('')}`,
    );
    return [
      'pdns_server',
      '--no-config',
      '--daemon=no',
      '--guardian=no',
      `--socket-dir=${folder}`,
      `--local-address=127.0.0.1`,
      `--local-port=${port}`,
      '--launch=geoip',
      '--edns-subnet-processing=yes',
      `--geoip-zones-file=${join(folder, 'geo.yaml')}`,
      `--geoip-database-files=mmdb:${join(folder, 'world.mmdb')}`,
      '--receiver-threads=1',
      '--distributor-threads=1',
      '--disable-syslog=yes',
      '--loglevel=3',
      '--cache-ttl=60',
    ];
  },
};

/** Signs each answer anew; its module answers from static data. */
export const onlinesign: Server = {
  name: 'knot onlinesign',
  async prepare(folder, port, { names }) {
    const addresses = addressesOf(0).map((address) => `${address}`);
    const records = names.flatMap((name) =>
      addresses.map((address) => `${relative(name)} ${TTL} A ${address}\n`),
    );
    await writeFile(join(folder, `${ZONE}.zone`), `$ORIGIN ${ZONE}.\n${zoneHead}${records.join('')}`);
    await writeFile(
      join(folder, 'knot.conf'),
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${folder}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n` +
        `database:\n  storage: ${folder}\nlog:\n  - target: stderr\n    any: error\n` +
        'policy:\n  - id: p\n    single-type-signing: on\n    algorithm: ecdsap256sha256\n' +
        'mod-onlinesign:\n  - id: s\n    policy: p\n' +
        `zone:\n  - domain: ${ZONE}\n    storage: ${folder}\n    file: ${ZONE}.zone\n    module: mod-onlinesign/s\n`,
    );
    return ['knotd', '-c', join(folder, 'knot.conf')];
  },
};

import { expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import { type Installation, programs } from './programs.ts';
import { SMALLEST_SETTINGS } from './testing/settings.ts';

const config = weirConfig.parse(SMALLEST_SETTINGS);
const installation: Installation = {
  folder: '/srv/cdn',
  state: stateFolder('/var/lib/weir'),
  config,
  edges: [{ name: 'zz-1', region: 'all', addresses: ['127.0.2.1', '::1'], port: 8080, tlsPort: undefined }],
};

test('the table has one row for each program, in the order in which they start', () => {
  const table = programs(installation).map(({ name, module, args, readyUrl }) => [
    `${name}: ${module} ${args.join(' ')}`,
    readyUrl,
  ]);
  expect(table).toEqual([
    [
      'operator: operator/main --folder /srv/cdn --state /var/lib/weir --listen 127.0.0.1:8700',
      'http://127.0.0.1:8700/readyz',
    ],
    [
      'dns-server: dns-server/main --name dns-1 --operator https://127.0.0.1:8700 ' +
        '--join-token-file /var/lib/weir/token --operator-ca /var/lib/weir/trust/ca.pem ' +
        '--state /var/lib/weir/dns-server --listen 127.0.0.1:5300 --batch auto --admin 127.0.0.1:8702',
      'http://127.0.0.1:8702/readyz',
    ],
    [
      'edge zz-1: edge/main --node zz-1 --operator https://127.0.0.1:8700 --join-token-file /var/lib/weir/token ' +
        '--operator-ca /var/lib/weir/trust/ca.pem --state /var/lib/weir/edges/zz-1 --listen 127.0.2.1:8080 --listen [::1]:8080 --admin 127.0.2.1:8701 ' +
        '--memory 64MiB --disk 1GiB',
      'http://127.0.2.1:8701/readyz',
    ],
  ]);
});

test('a sample origin runs where the settings want one, and geo files are found beside weir.yaml', () => {
  const [first, , dns] = programs({
    ...installation,
    config: {
      ...config,
      sampleOrigin: { listen: '127.0.0.1:8800', seed: 7 },
      geo: { databases: ['geo/city.mmdb', '/data/own.mmdb'], asn: ['asn.csv'] },
    },
  });
  expect(first).toMatchObject({
    name: 'sample origin',
    args: ['--listen', '127.0.0.1:8800', '--seed', '7', '--folder', '/var/lib/weir/sample-origin'],
  });
  expect(dns?.args.slice(-6)).toEqual([
    '--geo-database',
    '/srv/cdn/geo/city.mmdb',
    '--geo-database',
    '/data/own.mmdb',
    '--geo-asn',
    '/srv/cdn/asn.csv',
  ]);
});

test('an edge with a port for HTTPS listens there as well', () => {
  const edges = [{ name: 'zz-1', region: 'all', addresses: ['127.0.2.1'], port: 8080, tlsPort: 8443 }];
  const edge = programs({ ...installation, edges }).at(-1);
  expect(edge?.args.join(' ')).toContain('--listen 127.0.2.1:8080 --listen-tls 127.0.2.1:8443 --admin');
  expect(edge?.places.map(({ setting }) => setting)).toContain('EdgeNode zz-1: spec.ports.https');
});

test('each place names the setting that it comes from', () => {
  const places = programs(installation).flatMap((program) => program.places);
  expect(places.map(({ address, protocol, setting }) => `${address.port}/${protocol} ${setting}`)).toEqual([
    '8700/tcp weir.yaml: listen.operator',
    '5300/tcp weir.yaml: listen.dns',
    '5300/udp weir.yaml: listen.dns',
    '8702/tcp weir.yaml: listen.dnsAdmin',
    '8080/tcp EdgeNode zz-1: spec.ports.http',
    '8080/tcp EdgeNode zz-1: spec.ports.http',
    '8701/tcp weir.yaml: listen.edgeAdminPort',
  ]);
});

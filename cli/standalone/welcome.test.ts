import { expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import type { LocalEdge } from './programs.ts';
import { trialFor } from './sample-clients.ts';
import { welcomeText } from './welcome.ts';

const settings = {
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.example.net' }],
      soa: { contact: 'h.example.net' },
    },
  ],
  regions: [
    { name: 'us', members: { countries: ['US'] } },
    { name: 'henan', members: { subdivisions: ['CN-HA'] } },
  ],
  defaultRegion: 'us',
  sampleOrigin: { listen: '127.0.0.1:8800' },
  sampleCertificate: { namespace: 'demo', name: 'video', hostnames: ['video.example.com'] },
};
const edge = (name: string, region: string, address: string): LocalEdge => ({
  name,
  region,
  addresses: [address],
  port: 8080,
  tlsPort: 8443,
});
const EDGES = [edge('la-1', 'us', '127.0.3.1'), edge('zz-1', 'henan', '127.0.2.1')];
const domain = (ready: boolean): ResourceView<'CdnDomain'> => ({
  kind: 'CdnDomain',
  metadata: { name: 'video', namespace: 'demo' },
  spec: { hostname: 'video.example.com', origins: [{ name: 'main', url: 'http://127.0.0.1:8800' }] },
  status: {
    ...(ready && { cname: 'video.demo.cdn.example.net' }),
    conditions: [
      {
        type: 'Ready',
        status: ready ? 'True' : 'False',
        reason: 'Because',
        message: 'no node is connected',
        lastTransitionTime: '2026-11-22T12:00:00Z',
      },
    ],
  },
});
const welcome = (ready: boolean, state = '.weir') =>
  welcomeText({
    installation: {
      folder: '/srv/cdn',
      state: stateFolder(state),
      config: weirConfig.parse(settings),
      edges: EDGES,
    },
    folder: 'cdn',
    state,
    domains: [domain(ready)],
  });

test('what runs where, the domains, and commands to try', () => {
  expect(welcome(true)).toBe(`
Weir runs cdn, with its state in .weir.

WHAT           WHERE
sample origin  127.0.0.1:8800                  http://127.0.0.1:8800/ lists its files
operator       127.0.0.1:8700                  admin http://127.0.0.1:8700
dns-server     127.0.0.1:5300                  UDP and TCP, zone cdn.example.net; admin http://127.0.0.1:8702
edge la-1      127.0.3.1:8080, 127.0.3.1:8443  region us; admin http://127.0.3.1:8701
edge zz-1      127.0.2.1:8080, 127.0.2.1:8443  region henan; admin http://127.0.2.1:8701
                                               admin: /healthz, /readyz and /metrics

DOMAIN      HOSTNAME           CNAME
demo/video  video.example.com  video.demo.cdn.example.net  ready

To try, in another terminal:
  dig @127.0.0.1 -p 5300 video.demo.cdn.example.net +subnet=202.102.224.0/24 +short
  curl -s -o /dev/null -D - --resolve video.example.com:8080:127.0.2.1 http://video.example.com:8080/video.bin
  curl -s -o /dev/null -D - --resolve video.example.com:8080:127.0.2.1 http://video.example.com:8080/video.bin
  curl -s -o /dev/null -D - --cacert .weir/samples/ca.pem --resolve video.example.com:8443:127.0.2.1 https://video.example.com:8443/
  npx weir explain video.example.com --client 202.102.224.68
  npx weir purge --domain demo/video --everything

Ctrl-C stops everything.
`);
});

test('a domain that is not ready says why; commands name a state folder that is not the default', () => {
  const text = welcome(false, '/tmp/my state');
  expect(text).toContain('not ready: no node is connected');
  expect(text).not.toContain('dig @');
  expect(text).toContain("npx weir purge --domain demo/video --everything --state '/tmp/my state'");
});

test.each([
  ['a region with an edge here', {}, EDGES, '202.102.224.68', 'zz-1'],
  ['the next one where there is none', {}, EDGES.slice(0, 1), '8.8.8.8', 'la-1'],
  [
    'a network that is a member',
    { regions: [{ name: 'us', members: { cidrs: ['10.1.0.0/16'] } }] },
    EDGES.slice(0, 1),
    '10.1.0.0',
    'la-1',
  ],
  [
    'anybody where no region says who it is for',
    { regions: [{ name: 'us' }] },
    EDGES.slice(0, 1),
    '8.8.8.8',
    'la-1',
  ],
])('a client to try with: %s', (_, changes, edges, client, node) => {
  const trial = trialFor(weirConfig.parse({ ...settings, ...changes }), edges);
  expect([trial.client, trial.edge?.name]).toEqual([client, node]);
});

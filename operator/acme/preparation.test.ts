/** Where `_acme-challenge` has to lead before a server is asked, and what is said where it does not. */
import { expect, test } from 'vitest';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { certificate } from '../../contract/kinds/certificate.ts';
import { AT } from '../testing/manifests.ts';
import { prepare } from './preparation.ts';

const TARGET = 'video.demo._acme.cdn.example.net';
const NAME = '_acme-challenge.www.example.com';

const CONFIG = weirConfig.parse({
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.cdn.example.net', addresses: ['192.0.2.53'] }],
      soa: { contact: 'hostmaster.example.net' },
    },
  ],
  regions: [{ name: 'us-west', members: { countries: ['US'] } }],
  defaultRegion: 'us-west',
});

/** What it throws, where `_acme-challenge` names have these CNAMEs. */
async function obstacleWith(cnames: Record<string, string>): Promise<unknown> {
  const acme = { challenge: 'DNS01' };
  const spec = certificate.spec.parse({ hostnames: ['www.example.com'], acme });
  const at = { namespace: 'demo', generation: 1, creationTimestamp: AT, labels: {}, annotations: {} };
  const nothing = async () => [];
  const cname = async (name: string) => (cnames[name] === undefined ? [] : [cnames[name]]);
  return prepare({
    certificate: { kind: 'Certificate', metadata: { ...at, name: 'video', uid: 'uid-video' }, spec },
    acme: spec.acme ?? expect.fail(),
    config: CONFIG,
    domains: [],
    identities: [],
    dns: { cname, caa: nothing, addresses: nothing, txt: nothing },
  }).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test.each([
  ['straight', { [NAME]: TARGET }],
  [
    'by the name of another host',
    { [NAME]: '_acme-challenge.example.com', '_acme-challenge.example.com': TARGET },
  ],
])('a CNAME that leads to the place %s', async (_, cnames) => {
  expect(await obstacleWith(cnames)).toBeUndefined();
});

test.each([
  ['nowhere', {}, 'now there is none'],
  ['elsewhere', { [NAME]: 'a.example', 'a.example': 'b.example' }, 'now it is a.example, then b.example'],
  ['in a circle', { [NAME]: 'a.example', 'a.example': NAME }, `now it is a.example, then ${NAME}, then`],
])('one that leads %s is told, with all of the way', async (_, cnames, now) => {
  const message = await obstacleWith(cnames);
  expect(message).toContain(`make ${NAME} a CNAME of ${TARGET}; ${now}`);
});

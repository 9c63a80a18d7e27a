import { expect, test } from 'vitest';
import type { Explanation } from '../../dns-server/explain-domain.ts';
import { explanationText } from './format.ts';

const explanation: Explanation = {
  domain: {
    namespace: 'demo',
    name: 'video',
    hostname: 'video.example.com',
    cname: 'video.demo.cdn.example.net',
    policy: 'Geo',
  },
  client: {
    address: '202.102.224.68',
    place: { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' },
    isp: { asn: 4837, name: 'CHINA UNICOM' },
  },
  region: { name: 'cn-central', decidedBy: 'subdivision', member: 'CN-HA' },
  outcome: 'Usable',
  shift: 'None',
  tiers: [
    {
      by: 'Region',
      name: 'cn-central',
      sameIsp: false,
      candidates: [
        {
          node: 'zz-1',
          region: 'cn-central',
          weight: 100,
          load: 1,
          answered: false,
          reason: 'Unhealthy',
          message: '127.0.2.1: no answer in 1000 ms',
        },
      ],
    },
    {
      by: 'Region',
      name: 'cn-north',
      sameIsp: false,
      candidates: [
        {
          node: 'bj-1',
          region: 'cn-north',
          weight: 50,
          load: 1,
          answered: true,
          reason: undefined,
          message: '',
        },
      ],
    },
    {
      by: 'Region',
      name: 'us-west',
      sameIsp: false,
      candidates: [
        {
          node: 'la-1',
          region: 'us-west',
          weight: 100,
          load: 1,
          answered: false,
          reason: 'NotNeeded',
          message: 'a tier before it can answer',
        },
      ],
    },
  ],
  answer: { type: 'A', addresses: ['127.0.1.1'], ttl: 30, scope: 24 },
};

test('region, ISP, every candidate in order with the reason, and the answer', () => {
  expect(explanationText(explanation).join('\n')).toBe(
    `
video.example.com: CdnDomain demo/video, video.demo.cdn.example.net, policy Geo

client  202.102.224.68 (CN, CN-HA, Zhengzhou)
region  cn-central (subdivision CN-HA)
isp     AS4837 CHINA UNICOM

#  NODE  REGION      WEIGHT  ANSWERED  LEFT OUT, WHY
1  zz-1  cn-central  100     no        Unhealthy: 127.0.2.1: no answer in 1000 ms
2  bj-1  cn-north    50      yes
3  la-1  us-west     100     no        NotNeeded: a tier before it can answer

answer  A 127.0.1.1, TTL 30s, ECS scope /24`.trimStart(),
  );
});

test('a client that nobody knows, and a domain that no node serves yet', () => {
  const lines = explanationText({
    ...explanation,
    client: { address: '10.0.0.1', place: {}, isp: undefined },
    region: { name: 'us-west', decidedBy: 'default', member: undefined },
    outcome: 'NotYetReady',
    tiers: [],
    answer: { type: 'AAAA', addresses: [], ttl: 5, scope: 0 },
  });
  expect(lines).toContain('client  10.0.0.1 (in no geo database)');
  expect(lines).toContain('region  us-west (the default: no region has this client)');
  expect(lines).toContain('isp     unknown');
  expect(lines).toContain('no node is a candidate');
  expect(lines).toContain('No node serves the domain yet.');
  expect(lines.at(-1)).toBe('answer  AAAA (none: NODATA), TTL 5s, ECS scope /0');
});

test('all are down', () => {
  expect(explanationText({ ...explanation, outcome: 'AllDown' })).toContain(
    'No candidate is in good health and admitted: all are answered.',
  );
});

test('an override for the client’s ISP, a shift, and a weight that load lowered', () => {
  const [candidate] = explanation.tiers[1]?.candidates ?? [];
  if (candidate === undefined) throw new Error('candidate');
  const lines = explanationText({
    ...explanation,
    shift: 'Moved',
    tiers: [{ by: 'Override', name: 'cn-north', sameIsp: true, candidates: [{ ...candidate, load: 0.41 }] }],
  });
  expect(lines).toContain('shift   in the share that is moved');
  expect(lines).toContain('1  bj-1  cn-north (override cn-north, same ISP)  50 x 0.41  yes');
});

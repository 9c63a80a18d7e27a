import { expect, test } from 'vitest';
import { explainDomain } from './explain-domain.ts';
import { published, readyTable, testPlan } from './testing/routing-plan.ts';

const plan = testPlan();
const request = {
  published: published(plan),
  table: readyTable(plan),
  health: [],
  now: 0,
  name: 'video.example.com',
};

test('explains with the geo data that comes along', async () => {
  const explained = await explainDomain({ ...request, client: '202.102.224.68' });
  expect(explained).toMatchObject({
    client: {
      address: '202.102.224.68',
      place: { country: 'CN', subdivision: 'CN-HA', city: 'Zhengzhou' },
      isp: { asn: 4_837, name: 'CHINA UNICOM China169 Backbone' },
    },
    region: { name: 'cn-central', decidedBy: 'subdivision', member: 'CN-HA' },
    outcome: 'Usable',
  });
  expect(explained?.answer.addresses).toHaveLength(2);
}, 20_000);

test('a client that is no address is told', async () => {
  await expect(explainDomain({ ...request, client: 'nowhere' })).rejects.toThrow(
    'client: nowhere is no IP address or network, such as 202.102.224.68 or 2001:db8::/40',
  );
});

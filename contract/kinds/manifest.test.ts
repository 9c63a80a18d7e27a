import { describe, expect, test } from 'vitest';
import { weirConfig } from '../config/weir-config.ts';
import { CONDITION_MEANINGS } from './conditions.ts';
import type { KindDefinition } from './kind.ts';
import { KINDS, kindByName } from './kinds.ts';
import { manifestSchema } from './metadata.ts';
import { badManifests, exampleConfig, examples, goodManifests } from './testdata.ts';

describe('manifests that are accepted', () => {
  test.each([...goodManifests, ...examples])('$name', ({ kind, manifest }) => {
    expect(manifestSchema(KINDS[kind]).safeParse(manifest).error?.issues).toBeUndefined();
  });

  test('what is left out has its default', () => {
    const [video] = examples.filter(({ kind }) => kind === 'CdnDomain');
    expect(manifestSchema(KINDS.CdnDomain).parse(video?.manifest)).toMatchObject({
      spec: { routing: { policy: 'Geo', ttl: '60s', answers: 2 } },
    });
    const [node] = examples.filter(({ kind }) => kind === 'EdgeNode');
    expect(manifestSchema(KINDS.EdgeNode).parse(node?.manifest)).toMatchObject({
      spec: { ports: { http: 80 }, schedulable: true, healthCheck: { interval: '10s', failureThreshold: 3 } },
    });
  });
});

describe('manifests that are refused, with the path that is at fault', () => {
  test.each(badManifests)('$name', ({ kind, manifest, path, message }) => {
    const issues = manifestSchema(KINDS[kind]).safeParse(manifest).error?.issues ?? [];
    const said = issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    expect(said).toEqual([{ path, message: expect.stringContaining(message) }]);
  });
});

describe('weir.yaml', () => {
  const config = exampleConfig as { regions: object[]; zones: object[] };

  test('the example is valid and has defaults', () => {
    expect(weirConfig.parse(config)).toMatchObject({
      listen: { dns: ['127.0.0.1:5300'] },
      cache: { memory: '64MiB' },
      zones: [{ soa: { negativeTtl: '60s' } }],
    });
  });

  test.each([
    ['a default region that is not there', { defaultRegion: 'mars' }, 'defaultRegion', 'cn-north, us-west'],
    [
      'a region twice',
      { regions: [...config.regions, { name: 'us-west' }] },
      'regions.2.name',
      'stands once',
    ],
    [
      'a fallback that is not there',
      { regions: [{ name: 'us-west', fallback: ['mars'] }] },
      'regions.0.fallback.0',
      'us-west',
    ],
    [
      'a fallback to itself',
      { regions: [{ name: 'us-west', fallback: ['us-west'] }] },
      'regions.0.fallback.0',
      'another region',
    ],
    [
      'a zone below which no node has a name',
      { zones: [{ ...config.zones[0], name: `${`${'z'.repeat(61)}.`.repeat(3)}net` }] },
      'zones.0.name',
      'at most 184 characters',
    ],
    ['a zone twice', { zones: [...config.zones, ...config.zones] }, 'zones.1.name', 'stands once'],
    ['a key that is not known', { zonez: [] }, '', 'zonez'],
    ['a name to listen on', { listen: { operator: 'localhost:1' } }, 'listen.operator', 'an IP address'],
    ['a size without a unit', { cache: { disk: '10' } }, 'cache.disk', 'a size'],
  ])('%s', (_name, change, path, message) => {
    const issues = weirConfig.safeParse({ ...config, ...change }).error?.issues ?? [];
    const said = issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    expect(said).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  test.each([
    ['10.0.0.0/8', true],
    ['2001:db8::/32', true],
    ['0.0.0.0/0', true],
    ['192.0.2.1/32', true],
    ['10.0.0.1/8', false],
    ['2001:db8::1/32', false],
    ['10/8', false],
    ['0/8', false],
    ['10.0.0.0/08', false],
    ['10.0.0.0/33', false],
    ['10.0.0.0', false],
    ['10.0.0.0/8/8', false],
  ])('network %s: %s', (network, valid) => {
    const regions = [{ name: 'us-west', members: { cidrs: [network] } }];
    expect(weirConfig.safeParse({ ...config, regions }).success).toBe(valid);
  });
});

describe('kinds', () => {
  test.each(['CdnDomain', 'cdndomain', 'cdndomains', 'cdn', 'CDN'])('%s finds CdnDomain', (name) => {
    expect(kindByName(name)?.kind).toBe('CdnDomain');
  });

  test('an unknown name finds none', () => {
    expect(kindByName('cdnn')).toBeUndefined();
  });

  test('each condition says what it means', () => {
    const types = Object.values<KindDefinition>(KINDS).flatMap(({ conditionTypes }) => conditionTypes);
    expect(new Set(Object.keys(CONDITION_MEANINGS))).toEqual(new Set(types));
  });
});

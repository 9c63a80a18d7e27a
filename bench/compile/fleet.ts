/** A fleet as a Kubernetes API gives it: domains over fifty namespaces, and nodes over ten regions. */
import { API_VERSION, type KindName } from '../../contract/kinds/kind.ts';
import type { ApiObject } from '../../operator/kubernetes/objects.ts';
import type { SourceDocument } from '../../operator/source/source.ts';

const REGIONS = Array.from({ length: 10 }, (_, index) => `region-${index}`);

export const settings = {
  zones: [
    {
      name: 'cdn.example.net',
      nameServers: [{ name: 'ns1.cdn.example.net', addresses: ['192.0.2.53'] }],
      soa: { contact: 'hostmaster.example.net' },
    },
  ],
  regions: REGIONS.map((name, index) => ({ name, members: { cidrs: [`10.${index}.0.0/16`] } })),
  defaultRegion: 'region-0',
};

export const settingsDocument: SourceDocument = { file: 'weir.yaml', value: settings, line: () => 1 };

export const domainName = (index: number) => `video-${index}`;
export const namespaceOf = (index: number) => `team-${index % 50}`;
export const nodeName = (index: number) => `edge-${index}`;

function manifest(kind: KindName, metadata: Record<string, unknown>, spec: unknown) {
  return { apiVersion: API_VERSION, kind, metadata, spec };
}

/** `port` of the origin: what an edit changes. */
export function domainManifest(index: number, port = 8080) {
  const name = domainName(index);
  return manifest(
    'CdnDomain',
    { name, namespace: namespaceOf(index) },
    {
      hostname: `${name}.example.com`,
      origins: [{ name: 'main', url: `http://origin-${index}.example.net:${port}` }],
      cache: {
        rules: [
          { match: { pathPrefix: '/static/' }, ttl: '1h' },
          { match: { extensions: ['m3u8', 'mpd'] }, ttl: '2s', staleWhileRevalidate: '10s' },
        ],
      },
    },
  );
}

export function nodeManifest(index: number) {
  const address = `10.${index % 10}.${Math.floor(index / 250)}.${(index % 250) + 1}`;
  return manifest(
    'EdgeNode',
    { name: nodeName(index) },
    { addresses: [address], region: REGIONS[index % REGIONS.length] },
  );
}

/** As the API server hands it out. */
export function apiObjectOf({ metadata, ...rest }: ReturnType<typeof manifest>, generation = 1): ApiObject {
  const { name, namespace } = metadata;
  return {
    ...rest,
    metadata: {
      name: String(name),
      ...(typeof namespace === 'string' && { namespace }),
      uid: `uid-${rest.kind}-${String(name)}`,
      resourceVersion: String(generation),
      generation,
      creationTimestamp: '2026-11-22T04:00:00Z',
    },
  };
}

/** For tests: manifests as text to what a folder source would hand over, without a folder. */
import { stringify } from 'yaml';
import { API_VERSION, type KindName } from '../../contract/kinds/kind.ts';
import { parseDocuments } from '../source/folder/parse-documents.ts';
import type { Loaded, SourceDocument } from '../source/source.ts';

export const AT = '2026-11-22T04:00:00.000Z';

export const SETTINGS = `
zones:
  - name: cdn.example.net
    nameServers: [{ name: ns1.cdn.example.net, addresses: [192.0.2.53] }]
    soa: { contact: hostmaster.example.net }
regions:
  - { name: cn-north, members: { subdivisions: [CN-BJ] }, fallback: [cn-central, us-west] }
  - { name: cn-central, members: { countries: [CN] } }
  - { name: us-west, members: { countries: [US] } }
defaultRegion: us-west
`;

/** Files by path, `weir.yaml` among them, as one moment of a folder. */
export function loadedFrom(files: Record<string, string>, at = AT): Loaded {
  const documents = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, text]) => parseDocuments({ path, text }));
  const config = documents.find(({ file }) => file === 'weir.yaml');
  return { at, config, documents: documents.filter((document) => document !== config) };
}

/** Documents of one stream: the first is weir.yaml, the rest stand in `manifests.yaml`. */
export function loadedFromStream(text: string, at = AT): Loaded {
  const [config, ...documents] = parseDocuments({ path: 'manifests.yaml', text });
  const settings: SourceDocument | undefined = config && { ...config, file: 'weir.yaml' };
  return { at, config: settings, documents };
}

interface Metadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
}

export function manifest(kind: KindName, metadata: Metadata, spec: unknown): string {
  return `---\n${stringify({ apiVersion: API_VERSION, kind, metadata, spec })}`;
}

export function domainManifest(name: string, spec: Record<string, unknown> = {}): string {
  const origins = [{ name: 'main', url: 'http://192.0.2.1:8800' }];
  return manifest('CdnDomain', { name }, { hostname: `${name}.example.com`, origins, ...spec });
}

export function nodeManifest(name: string, spec: Record<string, unknown> = {}): string {
  return manifest('EdgeNode', { name }, { addresses: ['192.0.2.10'], region: 'us-west', ...spec });
}

export function jobManifest(name: string, spec: Record<string, unknown> = {}): string {
  return manifest('PurgeJob', { name }, { domainRef: { name: 'video' }, everything: true, ...spec });
}

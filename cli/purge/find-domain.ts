/** The domain that a purge is about, out of what was typed. Pure. */
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { hostnamesOf, viewsOf } from '../resource-views.ts';

export interface DomainName {
  namespace: string;
  name: string;
}

/** By `[namespace/]name` or hostname when given, else by the host of the URLs, which must all be one domain's. */
export function findDomain(
  resources: readonly ResourceView[],
  domain: string | undefined,
  urls: readonly string[],
): DomainName {
  const domains = viewsOf(resources, 'CdnDomain');
  if (domain !== undefined) {
    const named = domains.filter((view) => isNamed(view, domain));
    return only(named, `--domain ${domain}`, domains);
  }
  const hosts = [...new Set(urls.map((url) => URL.parse(url)?.hostname ?? url))];
  const serving = domains.filter((view) => hosts.some((host) => hostnamesOf(view).includes(host)));
  const strangers = hosts.filter((host) => !serving.some((view) => hostnamesOf(view).includes(host)));
  if (strangers.length > 0) return only([], strangers.join(', '), domains);
  return only(serving, hosts.join(', '), domains);
}

/** That of `namespace/name`. */
export function namespaceIn(domain: string | undefined): string | undefined {
  return domain?.includes('/') ? domain.split('/')[0] : undefined;
}

function isNamed(view: ResourceView, text: string): boolean {
  const { namespace, name } = view.metadata;
  return text === `${namespace}/${name}` || text === name || hostnamesOf(view).includes(text);
}

function only(found: readonly ResourceView[], asked: string, all: readonly ResourceView[]): DomainName {
  const [first, second] = found;
  if (first && !second) return { namespace: first.metadata.namespace, name: first.metadata.name };
  const names = (second ? found : all).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const what = second ? `${asked} is more than one domain` : `${asked}: no such domain`;
  throw new CommandError(EXIT.failed, `${what}; there is ${names.join(', ') || 'none at all'}`);
}

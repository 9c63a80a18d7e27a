/** The accepted forms that a cluster holds, read once: for an operator that starts, and for `weir` beside it. */
import { z } from 'zod';
import { type WeirConfig, weirConfig } from '../../../contract/config/weir-config.ts';
import { GROUP } from '../../../contract/kinds/kind.ts';
import { KINDS } from '../../../contract/kinds/kinds.ts';
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { Log } from '../../../lib/log.ts';
import { identify } from '../../admit/identity.ts';
import { readDocument } from '../../admit/read-document.ts';
import { type Accepted, type AcceptedResource, refOf, resourceKey } from '../../admit/snapshot.ts';
import type { KubernetesApi } from '../../kubernetes/api.ts';
import { apiObject, collectionPaths, listEach } from '../../kubernetes/objects.ts';
import { parseStored, storedDigest } from '../stored-form.ts';
import { toDocument } from './to-document.ts';

const APPS = '/apis/apps/v1';
/** In all namespaces, or in those that count and the operator's own, which has those of nodes and settings. */
export const revisionPaths = (namespaces: readonly string[] | undefined, own = '') =>
  namespaces === undefined
    ? [`${APPS}/controllerrevisions`]
    : [...new Set([...namespaces, own])].map((name) => `${APPS}/namespaces/${name}/controllerrevisions`);
/** Its value is the kind, or `weir.yaml`. */
export const LABEL = `${GROUP}/accepted`;
export const SELECTION = { labelSelector: LABEL };

const controllerRevision = apiObject.extend({ revision: z.int(), data: z.unknown() });
export type ControllerRevision = z.infer<typeof controllerRevision>;

/** The key of the settings, beside `resourceKey` of what else has a form. */
export const CONFIG = 'weir.yaml';

interface ListOptions {
  api: Pick<KubernetesApi, 'get'>;
  /** The operator's own. */
  namespace?: string;
  /** Those that count; all where nothing is said. */
  namespaces?: readonly string[] | undefined;
  log: Log;
}

interface Listed {
  accepted: Accepted;
  /** What was read, oldest first. */
  kept: { key: string; digest: string; row: ControllerRevision }[];
}

/**
 * All forms that the cluster holds. A form counts where it belongs: who may write into one namespace has no say in the
 * forms of another, nor in the settings. Without `namespace`, the operator's own, settings count from anywhere.
 */
export async function listAccepted({ api, namespace, namespaces, log }: ListOptions): Promise<Listed> {
  const paths = revisionPaths(namespaces, namespace);
  const objects = await listEach((path, query) => api.get(path, query), paths, SELECTION);
  const rows = z.array(controllerRevision).parse(objects);
  const resources = new Map<string, AcceptedResource>();
  const kept: Listed['kept'] = [];
  let config: Accepted['config'];
  // The newest form of each comes last, and stays.
  for (const row of rows.sort((a, b) => a.revision - b.revision)) {
    try {
      const form = readForm(row, namespace);
      if (form && 'settings' in form) config = form.settings;
      else if (form) resources.set(form.key, form.accepted);
      if (form) kept.push({ key: form.key, digest: form.digest, row });
    } catch (error) {
      log.error({ err: error, name: row.metadata.name }, 'an accepted form does not read');
    }
  }
  return { accepted: { config, resources }, kept };
}

type Form = { key: string; digest: string } & ({ settings: WeirConfig } | { accepted: AcceptedResource });

/** Nothing where it lies in a namespace that has no say in it. */
function readForm({ metadata, data }: ControllerRevision, own: string | undefined): Form | undefined {
  const isAt = (place: string | undefined) => place === undefined || metadata.namespace === place;
  if (metadata.labels?.[LABEL] === CONFIG) {
    if (!isAt(own)) return undefined;
    const settings = weirConfig.parse(data);
    return { key: CONFIG, digest: canonicalDigest(settings), settings };
  }
  const accepted = parseStored(data);
  if (!isAt(accepted.resource.metadata.namespace || own)) return undefined;
  return { key: resourceKey(refOf(accepted.resource)), digest: storedDigest(accepted), accepted };
}

/** A job that was begun is its own accepted form. */
export async function listBegunJobs({
  api,
  namespaces,
}: Pick<ListOptions, 'api' | 'namespaces'>): Promise<AcceptedResource[]> {
  const paths = collectionPaths(KINDS.PurgeJob, namespaces);
  const objects = await listEach((path, query) => api.get(path, query), paths);
  return objects.flatMap((object) => {
    const begun = z.object({ startTime: z.string() }).safeParse(object.status).success;
    const { candidate } = readDocument(toDocument('PurgeJob', object));
    return begun && candidate ? [identify(candidate, undefined, object.metadata.creationTimestamp)] : [];
  });
}

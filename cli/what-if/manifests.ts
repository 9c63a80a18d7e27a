/** The installation's manifests with some of them replaced or added, compiled as the operator would. */
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { API_VERSION } from '../../contract/kinds/kind.ts';
import type { Resource } from '../../contract/kinds/kinds.ts';
import type { RoutingPlan } from '../../contract/plans/routing-plan.ts';
import { formatProblem } from '../../contract/problem.ts';
import { admit } from '../../operator/admit/admit.ts';
import { type Accepted, isKind } from '../../operator/admit/snapshot.ts';
import { compile } from '../../operator/compile/compile.ts';
import { parseDocuments } from '../../operator/source/folder/parse-documents.ts';
import type { SourceDocument } from '../../operator/source/source.ts';

export interface ManifestText {
  path: string;
  text: string;
}

/** The plan after the change, and what is wrong with the new manifests. */
export function planAfter(
  accepted: Accepted,
  changes: readonly ManifestText[],
  at: string,
): { plan: RoutingPlan | undefined; problems: string[] } {
  const documents = changes.flatMap((file) => parseDocuments(file));
  const isConfig = ({ file }: SourceDocument) => basename(file) === 'weir.yaml';
  const newConfig = documents.find(isConfig);
  const resources = documents.filter((document) => !isConfig(document));
  const replaced = new Set(resources.map(({ value }) => identityOf(value)));
  const kept = [...accepted.resources.values()]
    .map(({ resource }) => resource)
    // Purges have no part in routing, and theirs were done.
    .filter((resource) => !isKind(resource, 'PurgeJob'))
    .map(manifestOf)
    .filter((manifest) => !replaced.has(identityOf(manifest)))
    .flatMap((manifest) => parseDocuments({ path: 'in force', text: stringify(manifest) }));
  const [oldConfig] = parseDocuments({ path: 'weir.yaml', text: stringify(accepted.config) });
  const loaded = { at, config: newConfig ?? oldConfig, documents: [...kept, ...resources] };
  const { config, snapshot, problems } = admit(loaded, accepted);
  return { plan: config && compile(snapshot, config).routing, problems: problems.map(formatProblem) };
}

function manifestOf({ kind, metadata: { name, namespace, labels }, spec }: Resource) {
  return { apiVersion: API_VERSION, kind, metadata: { name, ...(namespace && { namespace }), labels }, spec };
}

function identityOf(value: unknown): string {
  const { kind, metadata } = (value ?? {}) as {
    kind?: unknown;
    metadata?: { name?: unknown; namespace?: unknown };
  };
  const namespace = kind === 'EdgeNode' ? '' : (metadata?.namespace ?? 'default');
  return JSON.stringify([kind, namespace, metadata?.name]);
}

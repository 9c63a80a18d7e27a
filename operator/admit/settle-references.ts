/** Refuses what names something outside itself that is not there (references.ts). Pure. */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { CdnDomain, Certificate, EdgeNode, Resource } from '../../contract/kinds/kinds.ts';
import type { Problem } from '../../contract/problem.ts';
import { memoWith } from '../../lib/memo.ts';
import { type Contender, domainOf, refuse } from './contenders.ts';
import { problemAt } from './read-document.ts';
import { CHECKS, type Fault, type Surroundings } from './references.ts';
import { type Accepted, isKind, refOf, resourceKey } from './snapshot.ts';

/** Domains go first: jobs refer to those that are in force. */
export function settleReferences(
  contenders: Map<string, Contender>,
  which: 'domains' | 'others',
  config: WeirConfig,
  accepted: Accepted,
  problems: Problem[],
): void {
  const around: Surroundings = {
    config,
    domain: (namespace, name) =>
      domainOf(contenders.get(resourceKey({ kind: 'CdnDomain', namespace, name }))),
  };
  for (const [key, contender] of contenders) {
    const { resource, current } = contender.form;
    if ((resource.kind === 'CdnDomain') !== (which === 'domains')) continue;
    const faults = current ? faultsOf(resource, around) : [];
    if (faults.length === 0) continue;
    for (const { path, reason, message } of faults) {
      if (contender.document)
        problems.push(problemAt(contender.document, path, reason, message, refOf(resource)));
    }
    refuse(contenders, key, contender, accepted);
  }
}

/** Domains and nodes are checked against the settings alone: once, while those stay. */
const domainFaults = memoWith((resource: CdnDomain, config: WeirConfig) =>
  CHECKS.CdnDomain.flatMap((check) => check(resource, { config, domain: () => undefined })),
);
const nodeFaults = memoWith((resource: EdgeNode, config: WeirConfig) =>
  CHECKS.EdgeNode.flatMap((check) => check(resource, { config, domain: () => undefined })),
);

const certificateFaults = memoWith((resource: Certificate, config: WeirConfig) =>
  CHECKS.Certificate.flatMap((check) => check(resource, { config, domain: () => undefined })),
);

export function faultsOf(resource: Resource, around: Surroundings): Fault[] {
  if (isKind(resource, 'Certificate')) return certificateFaults(resource, around.config);
  if (isKind(resource, 'CdnDomain')) return domainFaults(resource, around.config);
  if (isKind(resource, 'EdgeNode')) return nodeFaults(resource, around.config);
  return isKind(resource, 'PurgeJob') ? CHECKS.PurgeJob.flatMap((check) => check(resource, around)) : [];
}

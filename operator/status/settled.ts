/**
 * Ten thousand domains that every node and dns-server has: while a domain's form, its history in plans and the settings
 * stay as they are, no report changes what is said of it, and nobody looks. Pure; remembered by identity.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { Resource } from '../../contract/kinds/kinds.ts';
import { type AcceptedResource, isKind } from '../admit/snapshot.ts';
import type { DomainHistory } from '../publish/publication.ts';
import type { Around } from './around.ts';
import { type StatusRecord, statusOf } from './record.ts';

interface Settled {
  record: StatusRecord;
  history: DomainHistory | undefined;
  config: WeirConfig | undefined;
}

const settled = new WeakMap<AcceptedResource, Settled>();

export function isSettled(
  key: string,
  form: AcceptedResource,
  record: StatusRecord,
  around: Around,
): boolean {
  const known = settled.get(form);
  if (known?.record !== record || isDisputed(key, around)) return false;
  return known.config === around.admission.config && known.history === historyOf(form, around);
}

export function settle(key: string, form: AcceptedResource, record: StatusRecord, around: Around): void {
  if (!form.current || isDisputed(key, around) || !stands(form.resource, record)) return;
  settled.set(form, { record, history: historyOf(form, around), config: around.admission.config });
}

const historyOf = ({ resource }: AcceptedResource, { publication }: Around) =>
  publication.history.get(resource.metadata.uid);

/** Others have a say in what is told of it. */
const isDisputed = (key: string, { admission: { contested, quarantined } }: Around) =>
  quarantined.has(key) || contested?.has(key) === true;

/** What a domain once came to for this generation stands: see domain-status.ts. A certificate ends by itself. */
function stands(resource: Resource, row: StatusRecord): boolean {
  if (!isKind(resource, 'CdnDomain') || resource.spec.tls) return false;
  const { cname, conditions = [] } = statusOf(row, 'CdnDomain') ?? {};
  const programmed = conditions.find(({ type }) => type === 'Programmed');
  return (
    programmed?.status === 'True' && programmed.observedGeneration === row.generation && cname !== undefined
  );
}

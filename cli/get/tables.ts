/** Resources as tables: the printer columns of their kind, as `kubectl get` shows them. Pure. */
import type { KindDefinition, PrinterColumn } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { textTable } from '../../lib/text-table.ts';
import { ageText } from './age.ts';
import { valueAt } from './json-path.ts';

/** What `kubectl` prints where nothing stands. */
const NOTHING = '<none>';

/** One table for each kind that there is something of, with a blank line between them. */
export function tables(resources: readonly ResourceView[], now: number): string[] {
  const byKind = Object.values<KindDefinition>(KINDS).map((definition) => ({
    definition,
    views: resources.filter(({ kind }) => kind === definition.kind),
  }));
  const filled = byKind.filter(({ views }) => views.length > 0);
  // Several kinds in a row need to be told apart.
  const named = filled.length > 1;
  return filled.flatMap(({ definition, views }, index) => [
    ...(index > 0 ? [''] : []),
    ...kindTable(definition, views, now, named),
  ]);
}

function kindTable(
  definition: KindDefinition,
  views: readonly ResourceView[],
  now: number,
  named: boolean,
): string[] {
  const namespaced = definition.scope === 'Namespaced';
  const header = [
    ...(namespaced ? ['NAMESPACE'] : []),
    'NAME',
    ...definition.columns.map(({ name }) => name.toUpperCase()),
    'AGE',
  ];
  const rows = views.map((view) => [
    ...(namespaced ? [view.metadata.namespace] : []),
    named ? `${definition.singular}/${view.metadata.name}` : view.metadata.name,
    ...definition.columns.map((column) => cellText(view, column)),
    ageText(view.metadata.creationTimestamp, now) ?? NOTHING,
  ]);
  return textTable([header, ...rows]);
}

function cellText(view: ResourceView, { jsonPath }: PrinterColumn): string {
  const value = valueAt(view, jsonPath);
  if (value === undefined || value === null || value === '') return NOTHING;
  if (Array.isArray(value)) return value.map(String).join(',');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Looking through what the operator lists. Pure. */
import type { Condition } from '../contract/kinds/conditions.ts';
import type { KindName } from '../contract/kinds/kind.ts';
import type { ResourceView } from '../contract/stream/operator-api.ts';

export function viewsOf<K extends KindName>(resources: readonly ResourceView[], kind: K): ResourceView<K>[] {
  return resources.filter((view): view is ResourceView<K> => view.kind === kind);
}

export function conditionOf({ status }: ResourceView, wanted: string): Condition | undefined {
  return status.conditions?.find(({ type }) => type === wanted);
}

/** The text at a path of what came over the wire; empty where there is none. */
export function textAt(value: unknown, ...path: (string | number)[]): string {
  const found = path.reduce<unknown>(
    (inner, key) => (inner !== null && typeof inner === 'object' ? Reflect.get(inner, key) : undefined),
    value,
  );
  return typeof found === 'string' ? found : '';
}

/** The hostnames of a CdnDomain, as far as its spec can be read. */
export function hostnamesOf({ spec }: ResourceView): string[] {
  const aliases = spec !== null && typeof spec === 'object' ? Reflect.get(spec, 'aliases') : undefined;
  const texts = Array.isArray(aliases) ? aliases.filter((alias) => typeof alias === 'string') : [];
  return [textAt(spec, 'hostname'), ...texts];
}

/**
 * What domains got of all edges, counted from the usage that these report, each batch of a node once. The sums are
 * metrics of the operator for now; whoever keeps rows takes them here, before the ack.
 */
import { Counter, type Registry } from 'prom-client';
import type { UsageBatch } from '../../contract/stream/usage.ts';

/** Ids remembered for each node: an edge repeats what is not acked, which is far less. */
const REMEMBERED = 20_000;

export interface UsageBook {
  /** Counts what is new. All of them may be acked then. */
  note(node: string, batches: readonly UsageBatch[]): void;
}

export function usageBook(registry: Registry): UsageBook {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `weir_operator_usage_${name}_total`, help, labelNames, registers });
  const requests = counter('requests', 'Requests that edges reported, by domain and by what the cache did.', [
    'domain',
    'result',
  ]);
  const clientBytes = counter('client_bytes', 'Bytes of bodies to clients, by domain.', ['domain']);
  const originBytes = counter('origin_bytes', 'Bytes of bodies from origins, by domain.', ['domain']);
  const statuses = counter('statuses', 'Requests by domain and class of status.', ['domain', 'class']);
  const seen = new Map<string, Set<string>>();

  function isNew(node: string, id: string): boolean {
    const ids = seen.get(node) ?? new Set();
    seen.set(node, ids);
    if (ids.has(id)) return false;
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > REMEMBERED && oldest !== undefined) ids.delete(oldest);
    return true;
  }

  return {
    note(node, batches) {
      for (const { id, rows } of batches) {
        if (!isNew(node, id)) continue;
        for (const row of rows) {
          const { domain } = row;
          for (const [result, count] of Object.entries(row.results)) requests.inc({ domain, result }, count);
          for (const [name, count] of Object.entries(row.statuses))
            statuses.inc({ domain, class: name }, count);
          clientBytes.inc({ domain }, row.clientBytes);
          originBytes.inc({ domain }, row.originBytes);
        }
      }
    },
  };
}

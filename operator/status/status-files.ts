/** Statuses on disk (`<state>/status/<plural>/<namespace>/<name>.yaml`); the operator is the only writer. */
import { basename, dirname, relative, sep } from 'node:path';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ObjectRef } from '../../contract/kinds/metadata.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import { removeFile } from '../../lib/atomic-file.ts';
import type { Log } from '../../lib/log.ts';
import { changedEntries, goneKeys } from '../../lib/patched-map.ts';
import { listYaml, readYaml, writeYaml } from '../../lib/yaml-file.ts';
import { resourceKey } from '../admit/snapshot.ts';
import { parseRecord, type Statuses, type StatusRecord } from './record.ts';

export interface StatusStore {
  load(): Promise<Statuses>;
  /**
   * Writes what differs between the two, nodes before jobs, or as much of that as is fit at once. Resolves with what is
   * durable then: a status that is to be written later is in it as before.
   */
  save(before: Statuses, after: Statuses): Promise<Statuses>;
  /** What was written may stand there no more: the next save looks, also where nothing changed. */
  hasStrayed?(): boolean;
  /** How many nodes' newer revisions it takes now, beside news; where it does not say, all. */
  turns?(): number;
}

export function statusFiles(state: StateFolder, log: Log): StatusStore {
  return {
    async load() {
      const paths = await listYaml(state.status);
      const records = await Promise.all(paths.map((path) => readRecord(state, path, log)));
      return new Map(
        records.filter((row) => row !== undefined).map((row) => [resourceKey(row.ref), row] as const),
      );
    },
    async save(before, after) {
      for (const record of changedRecords(before, after)) {
        const { ref, uid, generation, firstSeen, status } = record;
        await writeYaml(state.statusFile(ref), { uid, generation, firstSeen, status });
      }
      for (const key of goneKeys(before, after)) {
        const ref = before.get(key)?.ref;
        if (ref) await removeFile(state.statusFile(ref));
      }
      return after;
    },
  };
}

/**
 * What has to be written, in the order in which it must become durable: that a node has to revalidate comes before
 * the end of the job that it missed, or a crash between the two would forget it.
 */
export function changedRecords(before: Statuses, after: Statuses): StatusRecord[] {
  const order = ['EdgeNode', 'Certificate', 'CdnDomain', 'PurgeJob'];
  const changed = [...changedEntries(before, after)].map(([, record]) => record);
  return changed.sort((a, b) => order.indexOf(a.ref.kind) - order.indexOf(b.ref.kind));
}

async function readRecord(state: StateFolder, path: string, log: Log): Promise<StatusRecord | undefined> {
  const ref = refOfPath(state, path);
  return ref && readYaml(path, (value) => parseRecord(ref, value), log);
}

function refOfPath(state: StateFolder, path: string): ObjectRef | undefined {
  const [plural, folder] = relative(state.status, dirname(path)).split(sep);
  const definition = Object.values(KINDS).find((kind) => kind.plural === plural);
  if (!definition || folder === undefined) return undefined;
  const namespace = definition.scope === 'Namespaced' ? folder : '';
  return { kind: definition.kind, namespace, name: basename(path, '.yaml') };
}

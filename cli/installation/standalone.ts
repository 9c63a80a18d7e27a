/** An installation on this machine: its operator is asked, and its state folder read when that does not answer. */
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import { messageOf } from '../../lib/message-of.ts';
import { writeYaml } from '../../lib/yaml-file.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { routingOnDisk } from '../explain/view.ts';
import { viewsOf } from '../resource-views.ts';
import { busynessOf } from '../top/busyness.ts';
import { geoFilesOf } from './geo-files.ts';
import type { Installation } from './installation.ts';
import { OperatorRefused } from './operator-client.ts';
import { askOrRead, type InstallationState, readResources, resourcesOnDisk } from './state-folder.ts';

export function standaloneInstallation(
  installation: InstallationState,
  namespace: string | undefined,
): Installation {
  const { state, config, operator } = installation;
  return {
    namespace,
    async resources(kind, where = namespace) {
      const all = await readResources(installation);
      return all.filter((view) => (kind === undefined || view.kind === kind) && isIn(view, where));
    },
    submit: (job) => writeYaml(state.jobFile(job.metadata.namespace, job.metadata.name), job),
    async job(where, name) {
      // Once it was said that the operator does not answer, it need not be said ten times a second.
      const resources = await operator.resources().then(
        (view) => view.resources,
        () => resourcesOnDisk(state),
      );
      return viewsOf(resources, 'PurgeJob').find(
        ({ metadata }) => metadata.name === name && metadata.namespace === where,
      );
    },
    routing: () =>
      askOrRead(
        installation,
        () => operator.routing(),
        () => routingOnDisk(state),
      ),
    /** Of one's own, named relative to weir.yaml; those that Weir brings along when there are none. */
    async geoFiles() {
      return geoFilesOf(config, (await readFileIfThere(state.folder))?.trim() ?? '');
    },
    busyness: async () => busynessOf(await operator.metrics().catch(nobodyTells)),
    close: async () => {},
  };
}

/** What edges report lies in the operator's memory, and on no disk. */
function nobodyTells(error: unknown): never {
  const code = error instanceof OperatorRefused ? EXIT.failed : EXIT.unreachable;
  throw new CommandError(code, `only the operator knows how busy edges are: ${messageOf(error)}`);
}

/** Nodes belong to no namespace, so that none leaves them out. */
function isIn({ metadata }: ResourceView, namespace: string | undefined): boolean {
  return namespace === undefined || metadata.namespace === '' || metadata.namespace === namespace;
}

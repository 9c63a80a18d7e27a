/**
 * An installation whose resources lie in a Kubernetes API, by the rights of whoever has the kubeconfig: no connection to
 * an operator is needed. What it answers is computed from statuses (kubernetes-routing.ts).
 *
 * The client library for kubeconfigs is loaded by this alone, and not by the other commands.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { KindDefinition, KindName } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { messageOf } from '../../lib/message-of.ts';
import { type Accepted, NOTHING_ACCEPTED } from '../../operator/admit/snapshot.ts';
import { ApiError, hasStatus, type KubernetesApi, kubernetesApi } from '../../operator/kubernetes/api.ts';
import { loadCredentials } from '../../operator/kubernetes/credentials.ts';
import {
  type ApiObject,
  apiObject,
  collectionPath,
  listAll,
  objectPath,
} from '../../operator/kubernetes/objects.ts';
import { parseDocuments } from '../../operator/source/folder/parse-documents.ts';
import { listAccepted } from '../../operator/source/kubernetes/listed-forms.ts';
import type { SourceDocument } from '../../operator/source/source.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type Busyness, busynessOf, NOTHING_TOLD } from '../top/busyness.ts';
import { geoFilesOf } from './geo-files.ts';
import type { Installation } from './installation.ts';
import { routingFromStatuses } from './kubernetes-routing.ts';
import { operatorMetrics } from './operator-metrics.ts';
import type { InstallationOptions } from './options.ts';
import { commandLog } from './state-folder.ts';

export async function kubernetesInstallation(options: InstallationOptions): Promise<Installation> {
  const { kubeconfig, context, allNamespaces, config } = options;
  const { credentials, namespace } = await loadCredentials(kubeconfig, context).catch((error: unknown) => {
    throw new CommandError(EXIT.usage, messageOf(error));
  });
  const { server } = await credentials();
  const api = kubernetesApi(credentials, 'kubectl-weir');
  const wanted = allNamespaces ? undefined : (options.namespace ?? namespace);
  return new KubernetesInstallation({ api, server, namespace: wanted, config });
}

interface KubernetesInstallationOptions {
  api: KubernetesApi;
  server: string;
  namespace: string | undefined;
  /** The path of a weir.yaml that counts instead of the one in force. */
  config: string | undefined;
}

class KubernetesInstallation implements Installation {
  readonly namespace: string | undefined;
  readonly #options: KubernetesInstallationOptions;

  constructor(options: KubernetesInstallationOptions) {
    this.#options = options;
    this.namespace = options.namespace;
  }

  async resources(kind?: KindName, namespace = this.namespace): Promise<ResourceView[]> {
    if (kind) return this.#views(KINDS[kind], namespace);
    const kinds = Object.values<KindDefinition>(KINDS);
    const lists = await Promise.all(
      kinds.map((each) => this.#views(each, namespace).catch((error: unknown) => leaveOut(each, error))),
    );
    return lists.flat();
  }

  async submit(job: Parameters<Installation['submit']>[0]): Promise<void> {
    await this.#ask((api) => api.create(collectionPath(KINDS.PurgeJob, job.metadata.namespace), job));
  }

  async job(namespace: string, name: string): Promise<ResourceView<'PurgeJob'> | undefined> {
    const path = objectPath({ kind: 'PurgeJob', namespace, name });
    return viewOf('PurgeJob', apiObject.parse(await this.#options.api.get(path)));
  }

  async routing() {
    const [accepted, config, domains, nodes] = await Promise.all([
      this.#accepted(),
      this.#configDocument(),
      this.#list(KINDS.CdnDomain).catch((error: unknown) => {
        // Whoever may see one namespace alone still gets an explanation of what is there.
        if (this.namespace === undefined || !hasStatus(error, 403)) throw error;
        return this.#list(KINDS.CdnDomain, this.namespace);
      }),
      this.#list(KINDS.EdgeNode),
    ]).catch((error: unknown) => this.#refuse(error));
    const at = new Date().toISOString();
    const routing = routingFromStatuses({ accepted, config, domains, nodes, at });
    if (routing) return routing;
    const where = config
      ? `${this.#options.config} is not valid; \`weir validate\` says why`
      : 'no operator has taken a weir.yaml in this cluster, or you may not list its ControllerRevisions: name the file with --config';
    throw new CommandError(EXIT.failed, where);
  }

  async geoFiles() {
    const { config: path } = this.#options;
    const { config } = await this.#accepted();
    if (path === undefined && config?.geo) {
      const hint =
        'clients are placed by the data that Weir brings along; --config FILE takes those beside it';
      process.stderr.write(`weir: weir.yaml names geo data of its own, which is not here: ${hint}\n`);
      return {};
    }
    return path === undefined ? {} : geoFilesOf(config, dirname(path));
  }

  async busyness(): Promise<Busyness> {
    const text = await this.#ask(operatorMetrics);
    return text === undefined ? NOTHING_TOLD : busynessOf(text);
  }

  close(): Promise<void> {
    return this.#options.api.close();
  }

  async #views(kind: KindDefinition, namespace: string | undefined): Promise<ResourceView[]> {
    const objects = await this.#ask(() => this.#list(kind, namespace));
    return objects.map((object) => viewOf(kind.kind, object));
  }

  async #list(kind: KindDefinition, namespace?: string): Promise<ApiObject[]> {
    const { api } = this.#options;
    const { objects } = await listAll((path, query) => api.get(path, query), collectionPath(kind, namespace));
    return objects;
  }

  /** The forms in force; where one may not see them, resources count as they stand. */
  async #accepted(): Promise<Accepted> {
    const { api } = this.#options;
    try {
      return (await listAccepted({ api, log: commandLog() })).accepted;
    } catch (error) {
      if (hasStatus(error, 403)) return NOTHING_ACCEPTED;
      throw error;
    }
  }

  async #configDocument(): Promise<SourceDocument | undefined> {
    const { config } = this.#options;
    if (config === undefined) return undefined;
    const text = await readFile(config, 'utf8');
    return parseDocuments({ path: config, text })[0];
  }

  async #ask<T>(question: (api: KubernetesApi) => Promise<T>): Promise<T> {
    return question(this.#options.api).catch((error: unknown) => this.#refuse(error));
  }

  /** What went wrong, for who typed the command. */
  #refuse(error: unknown): never {
    if (error instanceof CommandError) throw error;
    if (error instanceof ApiError) throw new CommandError(EXIT.failed, error.message);
    const why = messageOf(error);
    throw new CommandError(
      EXIT.unreachable,
      `the Kubernetes API at ${this.#options.server} does not answer: ${why}`,
    );
  }
}

/** Of all kinds, those that one may not see are named, and the others are shown. */
function leaveOut({ plural }: KindDefinition, error: unknown): ResourceView[] {
  if (!(error instanceof CommandError) || error.exitCode !== EXIT.failed) throw error;
  process.stderr.write(`weir: without ${plural}: ${error.message}\n`);
  return [];
}

function viewOf<K extends KindName>(kind: K, { metadata, ...object }: ApiObject): ResourceView<K> {
  const { name, namespace = '', uid, generation = 1, creationTimestamp, labels } = metadata;
  const status = KINDS[kind].status.safeParse(object.status ?? {});
  return {
    kind,
    metadata: { name, namespace, uid, generation, creationTimestamp, ...(labels && { labels }) },
    spec: object.spec,
    // One that another version wrote is none to us.
    status: (status.success ? status.data : {}) as ResourceView<K>['status'],
  };
}

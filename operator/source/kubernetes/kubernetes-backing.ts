/** A Kubernetes API: manifests by watches, accepted forms, statuses and epoch in objects, one leader by a Lease. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from 'prom-client';
import { backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { copySecrets } from '../../acme/copy-secrets.ts';
import type { Backing } from '../../backing.ts';
import { VaultSecrets } from '../../certificates/vault-secrets.ts';
import { hasStatus, type KubernetesApi, kubernetesApi } from '../../kubernetes/api.ts';
import { loadCredentials } from '../../kubernetes/credentials.ts';
import { eventOf, eventsPath } from '../../kubernetes/events.ts';
import { Leadership } from '../../kubernetes/leadership.ts';
import { objectPath } from '../../kubernetes/objects.ts';
import { watchMetrics } from '../../kubernetes/watch-metrics.ts';
import { Registrar } from '../../registration/registrar.ts';
import { KubernetesSecret } from '../../secrets/kubernetes-secret.ts';
import { kubernetesStatus } from '../../status/kubernetes-status.ts';
import { bundleConfigMap } from '../../trust/bundle-config-map.ts';
import { caState } from '../../trust/ca.ts';
import { guardedSecret } from '../../trust/guarded-secret.ts';
import { joinTokenRecords } from '../../trust/join-tokens.ts';
import { tokenReview } from '../../trust/token-review.ts';
import { acceptedRevisions } from './accepted-revisions.ts';
import { ConfigFile } from './config-file.ts';
import { kubernetesSource } from './kubernetes-source.ts';

const REMOVE_BASE_MS = 1_000;
const REMOVE_CAP_MS = 60_000;

interface KubernetesBackingOptions {
  /** A path; by default what kubectl would take, or the pod's own. */
  kubeconfig: string | undefined;
  /** The path of weir.yaml. */
  config: string;
  /** Namespaces whose resources count; all where nothing is said. */
  namespaces: readonly string[] | undefined;
  /** Where agents reach this replica when it leads. */
  advertise: string | undefined;
  metrics: Registry;
  clock: Clock;
  log: Log;
}

export async function kubernetesBacking(options: KubernetesBackingOptions): Promise<Backing> {
  const { clock, log } = options;
  const { credentials, namespace } = await loadCredentials(options.kubeconfig);
  const config = await ConfigFile.open(options.config, log);
  const api = kubernetesApi(credentials);
  const leadership = new Leadership({
    api,
    namespace,
    identity: `${hostname()}_${randomUUID()}`,
    address: options.advertise,
    clock,
    log,
  });
  const { mayWrite } = leadership;
  leadership.start();
  const metrics = watchMetrics(options.metrics);
  const { namespaces } = options;
  const status = kubernetesStatus({ api, namespaces, mayWrite, clock, log });
  const onShown = status.show.bind(status);
  const source = kubernetesSource({ api, namespaces, config, onShown, metrics, clock, log });
  const accepted = acceptedRevisions({ api, namespace, namespaces, mayWrite, metrics, clock, log });
  const vault = new VaultSecrets({ api, namespace, mayWrite, metrics, clock, log });
  let stopped = false;
  return {
    source,
    stores: {
      accepted,
      status,
      epoch: leadership.epoch,
      vault,
    },
    secrets: new KubernetesSecret({ api, namespace, mayWrite, metrics, clock, log }),
    writeCopy: copySecrets(api, mayWrite),
    trust: {
      ca: guardedSecret({ api, namespace, name: 'weir-ca' }, caState),
      tokens: guardedSecret({ api, namespace, name: 'weir-join-tokens' }, joinTokenRecords),
    },
    reviewToken: tokenReview(api),
    tellAuthorities: bundleConfigMap({ api, namespace, clock, log, isGivenUp: () => stopped }),
    announce(news) {
      const regarding = leadership.regarding();
      if (!regarding) return;
      api.create(eventsPath(regarding), eventOf(regarding, news, clock.now())).catch((error: unknown) => {
        log.warn({ err: error, reason: news.reason }, 'an Event is not written');
      });
    },
    expire: (ref, uid) => void removeJob(objectPath(ref), uid, { api, clock, log, isGivenUp: () => stopped }),
    lead(inForce) {
      const registrar = new Registrar({
        ...inForce,
        api,
        namespace,
        edgeNodes: () => source.objects('EdgeNode'),
        mayWrite,
        watchMetrics: metrics,
        metrics: options.metrics,
        clock,
        log,
      });
      registrar.start();
      const stopGuarding = accepted.guard();
      return async () => void (await Promise.all([registrar.stop(), stopGuarding()]));
    },
    election: leadership,
    async stop() {
      stopped = true;
      await leadership.stop();
      await api.close();
    },
  };
}

interface Removing {
  api: KubernetesApi;
  clock: Clock;
  log: Log;
  /** The next leader does it. */
  isGivenUp: () => boolean;
}

/** Until it is gone: the decision is made once. */
async function removeJob(path: string, uid: string, { api, clock, log, isGivenUp }: Removing): Promise<void> {
  const wait = backoff(REMOVE_BASE_MS, REMOVE_CAP_MS);
  while (!isGivenUp()) {
    try {
      return await api.remove(path, uid);
    } catch (error) {
      if (hasStatus(error, 404, 409)) return;
      log.warn({ err: error, path }, 'a finished job is not removed; trying again');
      await new Promise<void>((resolve) => void clock.after(wait.next(), resolve));
    }
  }
}

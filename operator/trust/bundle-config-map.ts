/**
 * The operator's CAs for the pods of agents: a ConfigMap of its namespace that they mount, since the CA's Secret has the
 * key too. Written until it is there; the newest is what counts.
 */
import { backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { KubernetesApi } from '../kubernetes/api.ts';

const NAME = 'weir-ca-bundle';
const KEY = 'ca.pem';
const FIELD_MANAGER = 'weir-trust';
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 60_000;

interface Place {
  api: KubernetesApi;
  namespace: string;
  clock: Clock;
  log: Log;
  isGivenUp: () => boolean;
}

export function bundleConfigMap({ api, namespace, clock, log, isGivenUp }: Place): (pem: string) => void {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${NAME}`;
  const writing = latest<string>(async (pem) => {
    const wait = backoff(RETRY_BASE_MS, RETRY_CAP_MS);
    while (!isGivenUp()) {
      try {
        await api.apply(path, FIELD_MANAGER, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: NAME, namespace },
          data: { [KEY]: pem },
        });
        return;
      } catch (error) {
        log.error({ err: error, path }, 'the CAs are not there for the pods of agents; trying again');
        await new Promise<void>((resolve) => void clock.after(wait.next(), resolve));
      }
    }
  });
  return (pem) => writing.offer(pem);
}

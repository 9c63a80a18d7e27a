/**
 * The Secrets that resources refer to, each watched by its name alone: a tenant grants the operator this one, and no
 * right on the others of the namespace is needed. One that may not be read says so, and is tried again.
 */
import { z } from 'zod';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { memo } from '../../../lib/memo.ts';
import { hasStatus, type KubernetesApi } from '../../kubernetes/api.ts';
import { type ApiObject, apiObject } from '../../kubernetes/objects.ts';
import { Reflector } from '../../kubernetes/reflector.ts';
import type { WatchMetrics } from '../../kubernetes/watch-metrics.ts';
import type { FoundSecret } from '../secrets.ts';

/** A moment waits so long for Secrets that it is the first to name. */
const FIRST_READ_MS = 3_000;

interface NamedSecretsOptions {
  api: KubernetesApi;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
}

interface Watched {
  reflector: Reflector;
  /** Not there in time: nobody waits for it any longer. */
  isLate: boolean;
  stopWaiting: () => void;
}

const secret = apiObject.extend({ data: z.record(z.string(), z.string()).default({}) });

export class NamedSecrets {
  readonly #options: NamedSecretsOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #onChange: () => void;

  constructor(options: NamedSecretsOptions, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
  }

  /**
   * From now on these, `namespace/name`. False while some of them are about to be read for the first time: `onChange`
   * comes when one of them is read, can't be read, or is late.
   */
  follow(wanted: ReadonlySet<string>): boolean {
    for (const [key, { reflector, stopWaiting }] of this.#watched) {
      if (wanted.has(key)) continue;
      this.#watched.delete(key);
      stopWaiting();
      void reflector.stop();
    }
    for (const key of wanted) if (!this.#watched.has(key)) this.#begin(key);
    return [...this.#watched.values()].every(
      ({ reflector, isLate }) =>
        isLate || reflector.objects() !== undefined || reflector.failure() !== undefined,
    );
  }

  find(namespace: string, name: string): FoundSecret {
    const place = `Secret ${namespace}/${name}`;
    const reflector = this.#watched.get(`${namespace}/${name}`)?.reflector;
    const failure = reflector?.failure();
    if (hasStatus(failure, 403)) {
      const right = `list and watch secrets with resourceNames [${name}] in namespace ${namespace}`;
      const message = `the operator may not read ${place}: grant its ServiceAccount to ${right} (docs/tenancy.md)`;
      return { fault: 'SecretForbidden', message };
    }
    const objects = reflector?.objects();
    if (!objects) return { fault: 'SecretPending', message: `${place} is not read yet` };
    const [found] = objects.values();
    return found ? contentOf(found) : { fault: 'SecretNotFound', message: `there is no ${place}` };
  }

  async stop(): Promise<void> {
    const watched = [...this.#watched.values()];
    for (const { stopWaiting } of watched) stopWaiting();
    await Promise.all(watched.map(({ reflector }) => reflector.stop()));
  }

  #begin(key: string): void {
    const { metrics, clock } = this.#options;
    const [namespace = '', name = ''] = key.split('/');
    const reflector = new Reflector({
      ...this.#options,
      path: `/api/v1/namespaces/${namespace}/secrets`,
      selection: { fieldSelector: `metadata.name=${name}` },
      resource: 'secrets',
      // An age for each of ten thousand would be ten thousand time series.
      metrics: { ...metrics, followAge: () => {} },
      onFailing: this.#onChange,
    });
    const stopWaiting = clock.after(FIRST_READ_MS, () => {
      watched.isLate = true;
      if (reflector.objects() === undefined) this.#onChange();
    });
    const watched: Watched = { reflector, isLate: false, stopWaiting };
    this.#watched.set(key, watched);
    reflector.start(this.#onChange);
  }
}

/** The same of the same object, so that a pair is read once. */
const contentOf = memo((object: ApiObject): FoundSecret => {
  const { data } = secret.parse(object);
  const rows = Object.entries(data).map(
    ([name, text]) => [name, Buffer.from(text, 'base64').toString()] as const,
  );
  return { data: Object.fromEntries(rows) };
});

const named = z.looseObject({ name: z.string() }).optional();
const specs = z.looseObject({
  secretRef: named,
  tls: z.looseObject({ secretRef: named }).optional(),
  acme: z.looseObject({ externalAccountBinding: z.looseObject({ secretRef: named }).optional() }).optional(),
});

/** The Secrets that an object of ours names, as `namespace/name`. */
export const secretsNamedBy = memo(({ metadata, ...object }: ApiObject): string[] => {
  const { secretRef, tls, acme } = specs.safeParse(object.spec).data ?? {};
  return [secretRef, tls?.secretRef, acme?.externalAccountBinding?.secretRef].flatMap((ref) =>
    ref ? [`${metadata.namespace}/${ref.name}`] : [],
  );
});

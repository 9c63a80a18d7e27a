/**
 * Secrets as the keys of one Secret in the operator's namespace, so that any replica on any machine has them. It is
 * watched by its name alone: no right on other Secrets is needed. A rollover is asked for by an annotation.
 */
import { z } from 'zod';
import { GROUP } from '../../contract/kinds/kind.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { hasStatus, type KubernetesApi } from '../kubernetes/api.ts';
import { apiObject } from '../kubernetes/objects.ts';
import { Reflector } from '../kubernetes/reflector.ts';
import type { WatchMetrics } from '../kubernetes/watch-metrics.ts';
import { type AgentSecrets, OtherValue, type SecretValues } from './agent-secrets.ts';

export const SECRET_NAME = 'weir-agent-secrets';
/** Zones, separated by commas. */
const ROLLOVER = `${GROUP}/rollover`;
/** Somebody wrote to it between our look and our write. */
const MAX_TRIES = 5;

const secret = apiObject.extend({ data: z.record(z.string(), z.string()).default({}) });
type Secret = z.infer<typeof secret>;

interface KubernetesSecretOptions {
  api: KubernetesApi;
  /** The operator's own. */
  namespace: string;
  /** Throws while another replica may be the leader. */
  mayWrite: () => void;
  metrics: WatchMetrics;
  clock: Clock;
  log: Log;
}

export class KubernetesSecret implements AgentSecrets {
  readonly #options: KubernetesSecretOptions;
  readonly #folder: string;
  readonly #path: string;
  /** As the watch or our own write last showed it: looked at each second, and it should cost no request. */
  #seen: Secret | undefined;
  #isFollowed = false;

  constructor(options: KubernetesSecretOptions) {
    this.#options = options;
    this.#folder = `/api/v1/namespaces/${options.namespace}/secrets`;
    this.#path = `${this.#folder}/${SECRET_NAME}`;
  }

  async read(): Promise<SecretValues> {
    return valuesOf(await this.#found());
  }

  write(name: string, value: string, before: string | undefined): Promise<void> {
    const entry = { [name]: Buffer.from(value).toString('base64') };
    return this.#change((found = this.#seen) => {
      if (valuesOf(found).get(name) !== before) throw new OtherValue(name);
      return { metadata: found?.metadata ?? {}, data: { ...found?.data, ...entry } };
    });
  }

  async rolloversAsked(): Promise<string[]> {
    return zonesAsked(await this.#found());
  }

  rolloverBegun(zone: string): Promise<void> {
    return this.#change((found) => {
      const rest = zonesAsked(found).filter((asked) => asked !== zone);
      const annotations = { ...found?.metadata.annotations, [ROLLOVER]: rest.join(',') };
      return { data: found?.data ?? {}, metadata: { ...found?.metadata, annotations } };
    });
  }

  follow(onValues: (values: SecretValues) => void): () => Promise<void> {
    const selection = { fieldSelector: `metadata.name=${SECRET_NAME}` };
    const reflector = new Reflector({
      ...this.#options,
      path: this.#folder,
      selection,
      resource: 'secrets',
    });
    this.#isFollowed = true;
    reflector.start(() => {
      const [found] = [...(reflector.objects()?.values() ?? [])];
      if (!found) return void this.#restore();
      this.#seen = secret.parse(found);
      onValues(valuesOf(this.#seen));
    });
    return () => {
      this.#isFollowed = false;
      return reflector.stop();
    };
  }

  /** Somebody deleted it. New keys in its place would fit no DS at a parent: the leader writes what was there. */
  async #restore(): Promise<void> {
    const { mayWrite, log } = this.#options;
    const lost = this.#seen;
    if (!lost) return;
    try {
      mayWrite();
      await this.#change((found) => ({ data: { ...lost.data, ...found?.data } }));
      log.warn({ secret: SECRET_NAME }, 'the Secret was deleted, and is written again');
    } catch (error) {
      log.error(
        { err: error, secret: SECRET_NAME },
        'the Secret was deleted; its next change writes it again',
      );
    }
  }

  async #found(): Promise<Secret | undefined> {
    return (this.#isFollowed ? this.#seen : undefined) ?? this.#get();
  }

  async #get(): Promise<Secret | undefined> {
    try {
      return secret.parse(await this.#options.api.get(this.#path));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Guarded by the resourceVersion that was read; tried again when that is not the newest. */
  async #change(step: (found: Secret | undefined) => { data: object; metadata?: object }): Promise<void> {
    const { api, namespace, mayWrite } = this.#options;
    for (let tries = 1; ; tries++) {
      const found = await this.#get();
      const { data, metadata } = step(found);
      const own = { name: SECRET_NAME, namespace, labels: { 'app.kubernetes.io/managed-by': 'weir' } };
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { ...own, ...metadata },
        data,
      };
      mayWrite();
      try {
        this.#seen = secret.parse(
          await (found ? api.replace(this.#path, body) : api.create(this.#folder, body)),
        );
        return;
      } catch (error) {
        if (!hasStatus(error, 404, 409) || tries === MAX_TRIES) throw error;
      }
    }
  }
}

function valuesOf(found: Secret | undefined): SecretValues {
  const rows = Object.entries(found?.data ?? {});
  return new Map(rows.map(([name, value]) => [name, Buffer.from(value, 'base64').toString()] as const));
}

function zonesAsked(found: Secret | undefined): string[] {
  const text = found?.metadata.annotations?.[ROLLOVER] ?? '';
  return text
    .split(',')
    .map((zone) => zone.trim())
    .filter((zone) => zone !== '');
}

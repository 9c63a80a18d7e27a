/** What the operator writes to the API: one leader by a Lease, statuses, accepted forms. */
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { FakeClock, systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { admit } from '../../operator/admit/admit.ts';
import { type Accepted, NOTHING_ACCEPTED, resourceKey } from '../../operator/admit/snapshot.ts';
import { type KubernetesApi, kubernetesApi } from '../../operator/kubernetes/api.ts';
import { loadCredentials } from '../../operator/kubernetes/credentials.ts';
import { Leadership } from '../../operator/kubernetes/leadership.ts';
import { type ApiObject, apiObject, collectionPath, listAll } from '../../operator/kubernetes/objects.ts';
import { watchMetrics } from '../../operator/kubernetes/watch-metrics.ts';
import { acceptedRevisions } from '../../operator/source/kubernetes/accepted-revisions.ts';
import { toDocument } from '../../operator/source/kubernetes/to-document.ts';
import { kubernetesStatus } from '../../operator/status/kubernetes-status.ts';
import type { StatusRecord } from '../../operator/status/record.ts';
import { loadedFrom, SETTINGS } from '../../operator/testing/manifests.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type FaultyProxy, startProxy } from './proxy.ts';

const DOMAINS = '/apis/cdn.weir.dev/v1alpha1/namespaces/demo/cdndomains';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/demo/leases/weir-operator';
const SOON = { timeout: 10_000, interval: 20 };

let cluster: Cluster;
let direct: KubernetesApi;
let proxy: FaultyProxy;

beforeAll(async () => {
  cluster = await startCluster();
  direct = kubernetesApi((await loadCredentials(cluster.kubeconfig)).credentials);
  await cluster.kubectl(
    ['apply', '--server-side', '-f', '-'],
    [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } }],
  );
}, 900_000);
afterAll(async () => {
  await direct.close();
  await cluster.stop();
});
beforeEach(async () => {
  proxy = await startProxy(cluster.kubeconfig);
});
afterEach(async () => {
  await proxy.stop();
  await direct.remove(DOMAINS);
});

const spec = (hostname: string) => ({ hostname, origins: [{ name: 'main', url: 'http://192.0.2.1' }] });
const createDomain = async (name: string, hostname = `${name}.example.com`) =>
  apiObject.parse(
    await direct.create(DOMAINS, {
      apiVersion: 'cdn.weir.dev/v1alpha1',
      kind: 'CdnDomain',
      metadata: { name },
      spec: spec(hostname),
    }),
  );
const writes = () => proxy.seen.filter((line) => !line.startsWith('GET '));

describe('the Lease', () => {
  const replica = (identity: string, clock: FakeClock) =>
    new Leadership({
      api: proxy.api,
      namespace: 'demo',
      identity,
      address: `http://${identity}`,
      clock,
      log: silentLog,
    });
  const state = async (promise: Promise<unknown>) =>
    Promise.race([promise.then(() => 'yes'), new Promise((resolve) => setImmediate(resolve, 'no'))]);
  /** Rounds follow each other in time that the test moves; each needs the API server's answer first. */
  const until = (clock: FakeClock, condition: () => void | Promise<void>) =>
    vi.waitFor(async () => {
      clock.advance(500);
      await condition();
    }, SOON);

  afterEach(() => direct.remove(LEASE));

  test('is held by one, handed over when that one stops, and counts the epochs of both', async () => {
    const clocks = [new FakeClock(), new FakeClock()] as const;
    const [a, b] = [replica('a', clocks[0]), replica('b', clocks[1])];
    a.start();
    await a.led;
    await a.epoch.write((await a.epoch.read()) + 6);
    b.start();
    await until(clocks[1], () => expect(b.leader()).toEqual({ holder: 'a', address: 'http://a' }));
    expect(await state(b.led)).toBe('no');
    expect(b.mayWrite).toThrow('another replica may lead');
    await a.stop();
    expect(a.mayWrite).toThrow();
    await until(clocks[1], async () => expect(await state(b.led)).toBe('yes'));
    expect(await b.epoch.read()).toBe(7);
    expect(await direct.get(LEASE)).toMatchObject({ spec: { holderIdentity: 'b', leaseTransitions: 2 } });
    expect(b.mayWrite).not.toThrow();
    await b.stop();
  });

  test('is taken from one that is silent for 15 s; that one writes nothing after 10 s, and ends when it is back', async () => {
    const clocks = [new FakeClock(), new FakeClock()] as const;
    const [a, b] = [replica('a', clocks[0]), replica('b', clocks[1])];
    a.start();
    await a.led;
    b.start();
    await vi.waitFor(() => expect(b.holder()).toBe('a'), SOON);
    proxy.fault = () => ({ status: 503, body: {} });
    clocks[0].advance(9_000);
    expect(a.mayWrite).not.toThrow();
    clocks[0].advance(1_000);
    expect(a.mayWrite).toThrow();
    proxy.fault = () => undefined;
    const from = clocks[1].now();
    await until(clocks[1], async () => expect(await state(b.led)).toBe('yes'));
    expect(clocks[1].now() - from).toBeGreaterThanOrEqual(12_000);
    expect(await state(a.lost)).toBe('no');
    await until(clocks[0], async () => expect(await state(a.lost)).toBe('yes'));
    expect(a.mayWrite).toThrow();
    await a.stop();
    await b.stop();
    expect(await direct.get(LEASE)).toMatchObject({ spec: { holderIdentity: '' } });
  });

  test('is made again when somebody deletes it, by its holder or by one that saw it, and the epoch stands in it', async () => {
    const clocks = [new FakeClock(), new FakeClock()] as const;
    const [a, b] = [replica('a', clocks[0]), replica('b', clocks[1])];
    const epochInIt = async () =>
      apiObject.parse(await direct.get(LEASE)).metadata.annotations?.['cdn.weir.dev/epoch'];
    a.start();
    await a.led;
    await a.epoch.write(9);
    b.start();
    await vi.waitFor(() => expect(b.holder()).toBe('a'), SOON);
    await direct.remove(LEASE);
    await until(clocks[0], async () => expect(await epochInIt()).toBe('9'));
    expect(await state(a.lost)).toBe('no');
    await direct.remove(LEASE);
    await until(clocks[1], async () => expect(await state(b.led)).toBe('yes'));
    expect(await b.epoch.read()).toBe(9);
    await b.stop();
    await a.stop();
  });

  test('an API server that comes back is no loss', async () => {
    const clock = new FakeClock();
    const a = replica('a', clock);
    a.start();
    await a.led;
    proxy.fault = () => ({ status: 503, body: {} });
    clock.advance(60_000);
    expect(a.mayWrite).toThrow();
    proxy.fault = () => undefined;
    await until(clock, () => expect(a.mayWrite).not.toThrow());
    expect(await state(a.lost)).toBe('no');
    await a.stop();
  });
});

/** Its methods, to put others in place of some. */
const kubernetesApiOf = (api: KubernetesApi): KubernetesApi => ({
  text: (path) => api.text(path),
  get: (...args) => api.get(...args),
  create: (...args) => api.create(...args),
  replace: (...args) => api.replace(...args),
  apply: (...args) => api.apply(...args),
  merge: (...args) => api.merge(...args),
  remove: (...args) => api.remove(...args),
  watch: (...args) => api.watch(...args),
  close: () => api.close(),
});

describe('statuses', () => {
  /** As the watch showed them. */
  const shown = new Map<string, ApiObject>();
  beforeEach(() => shown.clear());
  const made = async (name: string) => {
    const object = await createDomain(name);
    shown.set(object.metadata.uid, object);
    return object;
  };
  const knowing = (statuses: ReturnType<typeof kubernetesStatus>) => {
    for (const object of shown.values()) statuses.show(object);
    return statuses;
  };
  const store = () =>
    knowing(kubernetesStatus({ api: proxy.api, mayWrite: () => {}, clock: systemClock, log: silentLog }));
  const record = (uid: string, cname: string, generation = 1): StatusRecord<'CdnDomain'> => ({
    ref: { kind: 'CdnDomain', namespace: 'demo', name: 'video' },
    uid,
    generation,
    firstSeen: '2026-11-22T04:00:00Z',
    status: { observedGeneration: generation, cname, conditions: [] },
  });
  const moment = (row: StatusRecord) => new Map([[resourceKey(row.ref), row]]);
  const statusOfVideo = async () => apiObject.parse(await direct.get(`${DOMAINS}/video`)).status;

  test('come back as they were written; what nobody looked at has none', async () => {
    const { uid } = (await made('video')).metadata;
    await createDomain('other');
    await store().save(new Map(), moment(record(uid, 'video.demo.cdn.example.net')));
    const loaded = await store().load();
    expect([...loaded.keys()]).toEqual(['CdnDomain/demo/video']);
    expect(loaded.get('CdnDomain/demo/video')).toMatchObject({
      uid,
      status: { cname: 'video.demo.cdn.example.net' },
    });
  });

  test('that the API server has are not written again, also after a restart', async () => {
    const { uid } = (await made('video')).metadata;
    const first = store();
    await first.save(new Map(), moment(record(uid, 'a.example.net')));
    await first.save(new Map(), moment(record(uid, 'a.example.net')));
    const second = store();
    await second.load();
    await second.save(new Map(), moment(record(uid, 'a.example.net')));
    expect(writes()).toHaveLength(1);
  });

  test('of one object are written at most once a second', async () => {
    const { uid } = (await made('video')).metadata;
    const statuses = store();
    const from = performance.now();
    for (const name of ['a', 'b', 'c']) {
      const after = moment(record(uid, `${name}.example.net`));
      // What waits is not said to be written.
      await vi.waitFor(async () => expect(await statuses.save(new Map(), after)).toBe(after), SOON);
    }
    expect(performance.now() - from).toBeGreaterThanOrEqual(2_000);
    expect(await statusOfVideo()).toMatchObject({ cname: 'c.example.net' });
  });

  test('are not written over an object that is made anew between our look and our write', async () => {
    const { uid } = (await made('video')).metadata;
    const api: KubernetesApi = {
      ...kubernetesApiOf(proxy.api),
      async apply(...args) {
        await direct.remove(`${DOMAINS}/video`);
        await createDomain('video');
        return proxy.api.apply(...args);
      },
    };
    const statuses = knowing(
      kubernetesStatus({
        api,
        mayWrite: () => {},
        clock: systemClock,
        log: silentLog,
      }),
    );
    await statuses.save(new Map(), moment(record(uid, 'a.example.net')));
    expect(await statusOfVideo()).toEqual({ observedGeneration: -1 });
  });

  test('are not even looked at while another may lead: ten thousand of them must not hold up a stop', async () => {
    const { uid } = (await made('video')).metadata;
    const mayWrite = () => {
      throw new Error('another replica may lead');
    };
    const statuses = knowing(
      kubernetesStatus({
        api: proxy.api,
        mayWrite,
        clock: systemClock,
        log: silentLog,
      }),
    );
    await expect(statuses.save(new Map(), moment(record(uid, 'a.example.net')))).rejects.toThrow('may lead');
    expect(proxy.seen).toEqual([]);
  });

  test('of an object that somebody else wrote to wait until the watch shows how it is', async () => {
    const { uid } = (await made('video')).metadata;
    const labelled = { metadata: { labels: { site: 'new' } } };
    const now = apiObject.parse(await direct.merge(`${DOMAINS}/video`, labelled));
    const statuses = store();
    const after = moment(record(uid, 'a.example.net'));
    expect(await statuses.save(new Map(), after)).toEqual(new Map());
    expect(await statusOfVideo()).toEqual({ observedGeneration: -1 });
    statuses.show(now);
    expect(await statuses.save(new Map(), after)).toBe(after);
    expect(await statusOfVideo()).toMatchObject({ cname: 'a.example.net' });
  });

  test('that are news are told in Events of the object', async () => {
    const { uid } = (await made('video')).metadata;
    const accepted = {
      type: 'Accepted',
      status: 'False' as const,
      reason: 'Conflict',
      message: 'x'.repeat(2_000),
      lastTransitionTime: '2026-11-22T04:00:00Z',
    };
    const row = record(uid, 'a.example.net');
    const { log, lines } = countingLog();
    const statuses = knowing(
      kubernetesStatus({
        api: proxy.api,
        mayWrite: () => {},
        clock: systemClock,
        log,
      }),
    );
    await statuses.save(new Map(), moment({ ...row, status: { ...row.status, conditions: [accepted] } }));
    expect(lines).toEqual([]);
    const text = await cluster.kubectl(['describe', 'cdn', 'video', '-n', 'demo']);
    expect(text).toMatch(/Warning +Conflict +.*xxx/);
  });

  test('of an object that is gone, or is another now, go nowhere', async () => {
    const gone = await made('video');
    await direct.remove(`${DOMAINS}/video`);
    await store().save(new Map(), moment(record(gone.metadata.uid, 'a.example.net')));
    await createDomain('video');
    await store().save(new Map(), moment(record(gone.metadata.uid, 'b.example.net')));
    expect(await statusOfVideo()).toEqual({ observedGeneration: -1 });
  });
});

describe('accepted forms', () => {
  const store = () =>
    acceptedRevisions({
      api: proxy.api,
      namespace: 'demo',
      mayWrite: () => {},
      metrics: watchMetrics(new Registry()),
      clock: systemClock,
      log: silentLog,
    });
  const revisions = async () =>
    JSON.parse(await cluster.kubectl(['get', 'controllerrevisions', '-n', 'demo', '-o', 'json'])).items;

  afterEach(() => direct.remove('/apis/apps/v1/namespaces/demo/controllerrevisions'));

  /** One life of the operator: reads what is there, admits what the API has over it, writes it down. */
  async function run(): Promise<Accepted> {
    const accepted = store();
    const { objects } = await listAll(
      (path, query) => direct.get(path, query),
      collectionPath(KINDS.CdnDomain),
    );
    const loaded = {
      ...loadedFrom({ 'weir.yaml': SETTINGS }),
      documents: objects.map((row) => toDocument('CdnDomain', row)),
    };
    const { accepted: forms } = admit(loaded, await accepted.load());
    await accepted.save(forms);
    return forms;
  }

  test('are one ControllerRevision each, owned by what they are a form of; the newest stays', async () => {
    const { metadata } = await createDomain('video');
    await run();
    const written = writes().length;
    await run();
    expect(writes()).toHaveLength(written);
    const patch = JSON.stringify({ spec: { aliases: ['v.example.com'] } });
    await cluster.kubectl(['patch', 'cdn', 'video', '-n', 'demo', '--type=merge', '-p', patch]);
    await run();
    expect(await revisions()).toEqual([
      expect.objectContaining({
        metadata: expect.objectContaining({
          name: expect.stringMatching(/^weir-cdndomains-video-/),
          ownerReferences: [expect.objectContaining({ uid: metadata.uid })],
        }),
        revision: 2,
      }),
      expect.objectContaining({
        metadata: expect.objectContaining({ name: expect.stringMatching(/^weir-config-/) }),
      }),
    ]);
  });

  test('are what stays in force of a manifest that went bad, settings too', async () => {
    await createDomain('video');
    await createDomain('www');
    const before = await run();
    const patch = JSON.stringify({ spec: { aliases: ['video.example.com'] } });
    await cluster.kubectl(['patch', 'cdn', 'www', '-n', 'demo', '--type=merge', '-p', patch]);
    const after = await run();
    const form = (accepted: Accepted) => accepted.resources.get('CdnDomain/demo/www')?.resource;
    expect(form(after)).toEqual(form(before));
    expect((await store().load()).config).toEqual(before.config);
  });

  test('of an object that was deleted are gone; another of its name begins anew', async () => {
    await createDomain('video');
    await run();
    await direct.remove(`${DOMAINS}/video`);
    await createDomain('video', 'other.example.com');
    const { resources } = await run();
    expect(resources.get('CdnDomain/demo/video')?.resource.spec).toMatchObject({
      hostname: 'other.example.com',
    });
    await direct.remove(`${DOMAINS}/video`);
    expect((await run()).resources.size).toBe(0);
    expect((await revisions()).map((row: { metadata: { name: string } }) => row.metadata.name)).toEqual([
      expect.stringMatching(/^weir-config-/),
    ]);
  });

  test('in a namespace that is being deleted are not written, and keep no other from it', async () => {
    await cluster.kubectl(['create', 'namespace', 'leaving']);
    await direct.create(DOMAINS.replace('/demo/', '/leaving/'), {
      apiVersion: 'cdn.weir.dev/v1alpha1',
      kind: 'CdnDomain',
      metadata: { name: 'going', finalizers: ['example.com/kept'] },
      spec: spec('going.example.com'),
    });
    await cluster.kubectl(['delete', 'namespace', 'leaving', '--wait=false']);
    const phase = () => cluster.kubectl(['get', 'namespace', 'leaving', '-o', 'jsonpath={.status.phase}']);
    await eventually(async () => expect(await phase()).toBe('Terminating'));
    await createDomain('video');
    await run();
    expect(await revisions()).toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ name: expect.stringMatching(/^weir-cdndomains-video-/) }),
      }),
    );
    const mayGo = JSON.stringify({ metadata: { finalizers: null } });
    await cluster.kubectl(['patch', 'cdn', 'going', '-n', 'leaving', '--type=merge', '-p', mayGo]);
    await eventually(() =>
      expect(cluster.kubectl(['get', 'namespace', 'leaving'])).rejects.toThrow(/not found/i),
    );
  });

  test('nothing at all is nothing accepted', async () => {
    expect(await store().load()).toEqual(NOTHING_ACCEPTED);
  });
});

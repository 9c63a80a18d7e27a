/** What people read of a resource: each condition with its reason, and no write where nothing changed. */

import { describe, expect, test } from 'vitest';
import type { KindName } from '../../contract/kinds/kind.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import { admit } from '../admit/admit.ts';
import { type Admission, NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { NO_HOLDINGS } from '../certificates/holdings.ts';
import { compile } from '../compile/compile.ts';
import { type Publication, publish, startPublication } from '../publish/publication.ts';
import { AT, domainManifest, jobManifest, loadedFrom, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { Leader } from '../testing/resources.ts';
import type { Statuses } from './record.ts';
import { statuses } from './statuses.ts';

/** An operator over one file of manifests after the other, without disk or sockets. */
class Desk {
  readonly leader = new Leader();
  admission: Admission = admit(loadedFrom({}), NOTHING_ACCEPTED);
  publication: Publication = startPublication(1, new Map(), 'run');
  written: Statuses = new Map();

  read(text: string, others: Record<string, string> = {}): this {
    const loaded = loadedFrom({ 'weir.yaml': SETTINGS, 'a.yaml': text, ...others });
    this.admission = admit(loaded, this.admission.accepted);
    const { config, snapshot } = this.admission;
    this.leader.on({ type: 'snapshot', snapshot });
    if (config) this.publication = publish(this.publication, compile(snapshot, config));
    return this;
  }

  dns(seq: number, healthy?: boolean): this {
    const server = { role: 'dns-server' as const, node: 'dns-1' };
    this.leader.on({ type: 'connect', ...server, held: { epoch: 1, seq } });
    const addresses = [{ address: '192.0.2.10', healthy: healthy ?? false, detail: 'timed out' }];
    const nodes = [{ node: 'a', addresses }];
    if (healthy !== undefined)
      this.leader.on({ type: 'report', ...server, report: { type: 'health', nodes } });
    return this;
  }

  status(kind: KindName, name: string) {
    const { admission, publication, leader, written: before } = this;
    this.written = statuses({
      admission,
      publication,
      holdings: NO_HOLDINGS,
      state: leader.state,
      before,
      now: leader.now,
    }).records;
    const record = [...this.written.values()].find(({ ref }) => ref.kind === kind && ref.name === name);
    return record?.status ?? expect.fail(`${kind} ${name} has no status`);
  }

  condition(kind: KindName, name: string, type: string) {
    return this.status(kind, name).conditions?.find((row) => row.type === type);
  }

  reason(kind: KindName, name: string, type = 'Ready') {
    return this.condition(kind, name, type)?.reason;
  }
}

const both = domainManifest('video') + nodeManifest('a');

describe('a domain is Ready when', () => {
  test('it is published, every connected node acked it, and every connected dns-server has it', () => {
    const desk = new Desk().read(both);
    expect(desk.reason('CdnDomain', 'video')).toBe('NoNodeConnected');
    desk.leader.connect('a', 0, 0);
    expect(desk.reason('CdnDomain', 'video')).toBe('WaitingForNodes');
    desk.leader.ack('a', 1, 1);
    expect(desk.reason('CdnDomain', 'video')).toBe('DnsNotReady');
    desk.dns(1);
    expect(desk.status('CdnDomain', 'video')).not.toHaveProperty('cname');
    desk.dns(2);
    expect(desk.reason('CdnDomain', 'video')).toBe('Ready');
    expect(desk.status('CdnDomain', 'video')).toMatchObject({ cname: 'video.default.cdn.example.net' });
  });

  test('it was, and nobody says otherwise: lost connections take nothing back', () => {
    const desk = new Desk().read(both).dns(2);
    desk.leader.connect('a', 1, 1);
    const before = desk.status('CdnDomain', 'video');
    desk.leader.disconnect('a');
    desk.leader.on({ type: 'disconnect', role: 'dns-server', node: 'dns-1' });
    expect(desk.reason('CdnDomain', 'video')).toBe('Ready');
    expect(desk.status('CdnDomain', 'video')).toBe(before);
  });

  test('its manifest is in order: a refused one says what is wrong and what stays in force', () => {
    const desk = new Desk().read(both).dns(2);
    desk.leader.connect('a', 1, 1);
    desk.read(domainManifest('video', { bogus: 1 }) + nodeManifest('a'));
    expect(desk.condition('CdnDomain', 'video', 'Accepted')).toMatchObject({
      status: 'False',
      reason: 'Invalid',
      message: expect.stringMatching(
        /^spec\.bogus: 1: unknown field; .*; the last accepted form stays in force$/,
      ),
    });
    expect(desk.reason('CdnDomain', 'video', 'Programmed')).toBe('Programmed');
  });
});

test('a file that does not parse is the reason of its own resources, whatever else nobody can read', () => {
  const desk = new Desk().read(both);
  desk.read('{ a: [', { '0-note.json': '{ "name": "no manifest" }' });
  expect(desk.condition('CdnDomain', 'video', 'Accepted')).toMatchObject({
    status: 'False',
    reason: 'SyntaxError',
    message: expect.stringMatching(/; the last accepted form stays in force$/),
  });
});

test('a contested hostname is told to who keeps it, and to who claims it in vain', () => {
  const desk = new Desk().read(both);
  const rival = domainManifest('rival', { hostname: 'video.example.com' });
  desk.read(both + rival);
  expect(desk.condition('CdnDomain', 'video', 'Accepted')).toMatchObject({
    status: 'True',
    message: 'the manifest is in force; also claimed, in vain: video.example.com by CdnDomain default/rival',
  });
  expect(desk.condition('CdnDomain', 'rival', 'Accepted')).toMatchObject({
    reason: 'Conflict',
    message: expect.stringContaining('video.example.com belongs to CdnDomain default/video'),
  });
  desk.read(both);
  expect(desk.condition('CdnDomain', 'video', 'Accepted')?.message).toBe('the manifest is in force');
});

describe('a node', () => {
  test('says what it is short of, the first thing first', () => {
    const desk = new Desk().read(both);
    expect(desk.reason('EdgeNode', 'a')).toBe('NotConnected');
    desk.leader.connect('a', 0, 0);
    expect(desk.reason('EdgeNode', 'a')).toBe('NotProbed');
    desk.dns(2, false);
    expect(desk.condition('EdgeNode', 'a', 'Healthy')).toMatchObject({
      message: 'health checks fail: timed out',
    });
    expect(desk.status('EdgeNode', 'a')).toMatchObject({
      unhealthy: [{ address: '192.0.2.10', detail: 'timed out' }],
    });
    desk.dns(2, true);
    expect(desk.status('EdgeNode', 'a')).not.toHaveProperty('unhealthy');
    expect(desk.reason('EdgeNode', 'a')).toBe('Behind');
    expect(desk.reason('EdgeNode', 'a', 'Admitted')).toBe('CatchingUp');
    desk.leader.ack('a', 1, 1);
    expect(desk.reason('EdgeNode', 'a')).toBe('CatchingUp');
    expect(desk.status('EdgeNode', 'a')).toMatchObject({ mustRevalidate: true });
    desk.leader.done('a', desk.leader.revalidation('a') ?? '');
    expect(desk.reason('EdgeNode', 'a')).toBe('Ready');
    expect(desk.status('EdgeNode', 'a')).toMatchObject({
      acked: { epoch: 1, seq: 1 },
      mustRevalidate: false,
    });
    desk.read(domainManifest('video') + nodeManifest('a', { schedulable: false }));
    expect(desk.reason('EdgeNode', 'a')).toBe('Cordoned');
  });

  test.each(['Local', 'Invalid'] as const)('that refused a plan says so (%s)', (fault) => {
    const desk = new Desk().read(both);
    const nack = { type: 'nack' as const, revision: { epoch: 1, seq: 1 }, fault, message: 'disk full' };
    desk.leader.on({ type: 'report', role: 'edge', node: 'a', report: nack });
    expect(desk.condition('EdgeNode', 'a', 'UpToDate')).toMatchObject({
      reason: `Refused${fault}`,
      message: 'refused plan 1.1: disk full',
    });
  });
});

describe('a job', () => {
  test('counts what was acked and names who is awaited, and why', () => {
    const desk = new Desk().read(both + nodeManifest('b', { addresses: ['192.0.2.11'] }));
    desk.leader.connect('a', 1, 1);
    desk.read(both + nodeManifest('b', { addresses: ['192.0.2.11'] }) + jobManifest('all'));
    const uid = desk.admission.snapshot.jobs[0]?.metadata.uid ?? '';
    desk.leader.failed('a', uid);
    expect(desk.status('PurgeJob', 'all')).toMatchObject({
      nodes: { targeted: 2, acked: 0, failed: 1 },
      awaited: [
        { node: 'a', reason: 'Failed: disk full' },
        { node: 'b', reason: 'NotConnected' },
      ],
      objects: 0,
      conditions: expect.arrayContaining([
        expect.objectContaining({
          type: 'Complete',
          status: 'False',
          reason: 'InProgress',
          message: 'not every targeted node has acked yet; a failed, and is tried again: disk full',
        }),
      ]),
    });
    desk.leader.done('a', uid, 5);
    desk.leader.done('b', uid, 6);
    expect(desk.status('PurgeJob', 'all')).toMatchObject({
      nodes: { targeted: 2, acked: 2, failed: 0 },
      awaited: [],
      objects: 11,
      startTime: expect.any(String),
      completionTime: expect.any(String),
    });
    expect(desk.reason('PurgeJob', 'all', 'Complete')).toBe('AllNodesAcked');
  });
});

test('a manifest that was never accepted has every condition of its kind, and says why', () => {
  const desk = new Desk().read(
    domainManifest('video', { bogus: 1 }) + nodeManifest('a', { region: 'x' }) + jobManifest('all'),
  );
  for (const [kind, name] of [
    ['CdnDomain', 'video'],
    ['EdgeNode', 'a'],
    ['PurgeJob', 'all'],
  ] as const) {
    const types = desk.status(kind, name).conditions?.map(({ type }) => type);
    expect(types?.sort()).toEqual([...KINDS[kind].conditionTypes].sort());
    expect(desk.condition(kind, name, 'Ready')).toMatchObject({ status: 'False' });
  }
  expect(desk.condition('PurgeJob', 'all', 'Failed')).toMatchObject({ status: 'True', reason: 'Missing' });
});

test('what is written fits the schema of its kind, and is the same value while nothing changes', () => {
  const desk = new Desk().read(both + jobManifest('all'));
  desk.leader.connect('a', 1, 1);
  desk.status('CdnDomain', 'video');
  const before = desk.written;
  for (const { ref, status } of before.values()) KINDS[ref.kind].status.parse(status);
  desk.leader.tick(10);
  desk.status('CdnDomain', 'video');
  for (const [key, record] of desk.written) expect(record).toBe(before.get(key));
});

test('a condition’s time moves only when its status does', () => {
  const desk = new Desk().read(both);
  const first = desk.condition('CdnDomain', 'video', 'Ready')?.lastTransitionTime;
  expect(first?.slice(0, 16)).toBe(AT.slice(0, 16));
  desk.leader.tick(3_600);
  desk.leader.connect('a', 0, 0);
  expect(desk.condition('CdnDomain', 'video', 'Ready')).toMatchObject({
    reason: 'WaitingForNodes',
    lastTransitionTime: first,
  });
  desk.leader.ack('a', 1, 1);
  desk.dns(2);
  expect(desk.condition('CdnDomain', 'video', 'Ready')?.lastTransitionTime).not.toBe(first);
});

/** "Purges are reconciled, not logged": each sentence, and each rule of the node table. */
import { describe, expect, test } from 'vitest';
import type { EdgeNodeStatus } from '../../contract/kinds/edge-node.ts';
import type { PurgeJobStatus } from '../../contract/kinds/purge-job.ts';
import { commandsTo, job, Leader, node } from '../testing/resources.ts';

/** Nodes that are connected, admitted and up to date. */
function fleet(...names: string[]): Leader {
  const leader = new Leader();
  leader.snapshot(names);
  for (const name of names) leader.settle(name);
  return leader;
}

/** A leader that starts with what an earlier one wrote down. */
function successor(nodes: Record<string, EdgeNodeStatus>, jobs: Record<string, PurgeJobStatus> = {}): Leader {
  return new Leader({ nodes: new Map(Object.entries(nodes)), jobs: new Map(Object.entries(jobs)) });
}

/** A leader whose predecessor left node a connected, with a purge that it has not acked as far as this one knows. */
function moved(): Leader {
  const since = { reason: 'Connected', message: '', lastTransitionTime: '2026-11-22T00:00:00Z' };
  const leader = successor({ a: { acked, conditions: [{ type: 'Connected', status: 'True', ...since }] } });
  leader.snapshot(['a']);
  leader.snapshot(['a'], ['all']);
  return leader;
}

const ADMITTED = { admitted: true, reason: 'Admitted' };
const CATCHING_UP = { admitted: false, reason: 'CatchingUp' };
const acked = { epoch: 1, seq: 1 };
const unfinished: PurgeJobStatus = { nodes: { targeted: 2, acked: 0, failed: 0 }, awaited: [] };

describe('an unfinished job is sent', () => {
  test('to each connected node when it appears', () => {
    const leader = fleet('a', 'b', 'c');
    leader.disconnect('c');
    const effects = leader.snapshot(['a', 'b', 'c'], ['all']);
    expect(['a', 'b', 'c'].map((name) => commandsTo(name, effects))).toEqual([['uid-all'], ['uid-all'], []]);
  });

  test('to a node when it connects, as long as it has not been seen to ack', () => {
    const leader = fleet('a', 'b');
    leader.snapshot(['a', 'b'], ['all']);
    leader.disconnect('a');
    expect(commandsTo('a', leader.connect('a'))).toEqual(['uid-all']);
    expect(commandsTo('a', leader.connect('a'))).toEqual(['uid-all']);
    leader.done('a', 'uid-all');
    expect(leader.connect('a')).toEqual([]);
  });

  test('oldest first', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['z-first']);
    leader.snapshot(['a'], ['a-second', 'z-first']);
    expect(commandsTo('a', leader.connect('a'))).toEqual(['uid-z-first', 'uid-a-second']);
  });

  test('to the nodes that its selector names, and to no others', () => {
    const leader = fleet('a', 'b');
    const nodes = [node('a', { site: 'new' }), node('b')];
    const effects = leader.snapshot(nodes, [job('some', { nodes: { matchLabels: { site: 'new' } } })]);
    expect([commandsTo('a', effects), commandsTo('b', effects)]).toEqual([['uid-some'], []]);
    leader.done('a', 'uid-some');
    expect(leader.outcome('some')).toBe('Complete');
  });

  describe('to parents first:', () => {
    const parent = (name: string) => ({
      ...node(name),
      spec: { ...node(name).spec, tier: 'Parent' as const },
    });
    const nodes = [node('a'), parent('p'), parent('q')];
    const names = ['a', 'p', 'q'];
    const sent = (effects: Parameters<typeof commandsTo>[1]) =>
      names.filter((name) => commandsTo(name, effects).length);
    const started = (leader = fleet(...names)) => ({ leader, effects: leader.snapshot(nodes, ['all']) });

    test('edges follow when each of them acked', () => {
      const { leader, effects } = started();
      expect(sent(effects)).toEqual(['p', 'q']);
      expect(sent(leader.done('p', 'uid-all'))).toEqual([]);
      expect(sent(leader.done('q', 'uid-all'))).toEqual(['a']);
      leader.done('a', 'uid-all');
      expect(leader.outcome('all')).toBe('Complete');
    });

    test('one that is gone, that fails, or that takes too long holds up nobody', () => {
      const gone = fleet(...names);
      gone.disconnect('p');
      gone.disconnect('q');
      expect(sent(started(gone).effects)).toEqual(['a']);
      const leaving = started().leader;
      leaving.done('p', 'uid-all');
      expect(sent(leaving.disconnect('q'))).toEqual(['a']);
      const failing = started().leader;
      failing.done('p', 'uid-all');
      expect(sent(failing.failed('q', 'uid-all'))).toEqual(['a']);
      expect(sent(started().leader.tick(5))).toEqual(['a']);
    });

    test('an edge that connects meanwhile is told then, and catches up until it acked', () => {
      const { leader } = started();
      leader.disconnect('a');
      expect(commandsTo('a', leader.connect('a'))).toEqual([]);
      expect(leader.row('a')).toMatchObject(CATCHING_UP);
      leader.done('p', 'uid-all');
      expect(sent(leader.done('q', 'uid-all'))).toEqual(['a']);
      leader.done('a', 'uid-all');
      expect(leader.row('a')).toMatchObject(ADMITTED);
    });

    test('a prefetch waits for nobody', () => {
      const urls = ['https://video.example.com/x'];
      const prefetch = job('all', { action: 'Prefetch', everything: undefined, urls });
      expect(sent(fleet(...names).snapshot(nodes, [prefetch]))).toEqual(names);
    });
  });

  test('to parents too, whatever its selector names', () => {
    const leader = fleet('a', 'p');
    const parent = node('p');
    const nodes = [node('a'), { ...parent, spec: { ...parent.spec, tier: 'Parent' as const } }];
    const effects = leader.snapshot(nodes, [job('some', { nodes: { matchLabels: { site: 'new' } } })]);
    expect([commandsTo('a', effects), commandsTo('p', effects)]).toEqual([[], ['uid-some']]);
  });

  test('again by a new leader, to those that acked too: it has not seen it', () => {
    const leader = successor({ a: { acked } }, { 'uid-all': unfinished });
    leader.snapshot(['a'], ['all']);
    expect(commandsTo('a', leader.connect('a'))).toEqual(['uid-all']);
  });

  test('again, later and later, to a node that could not apply it', () => {
    const leader = fleet('a');
    leader.snapshot(['a'], ['all']);
    leader.failed('a', 'uid-all');
    expect(leader.tick(0.5)).toEqual([]);
    expect(commandsTo('a', leader.tick(0.5))).toEqual(['uid-all']);
    leader.failed('a', 'uid-all');
    expect(leader.tick(1)).toEqual([]);
    expect(commandsTo('a', leader.tick(1))).toEqual(['uid-all']);
    leader.done('a', 'uid-all');
    expect(leader.outcome('all')).toBe('Complete');
  });
});

describe('a job is Complete', () => {
  test('when every targeted node acked, and not before', () => {
    const leader = fleet('a', 'b');
    leader.snapshot(['a', 'b'], ['all']);
    leader.done('a', 'uid-all', 3);
    expect(leader.outcome('all')).toBeUndefined();
    leader.done('b', 'uid-all', 4);
    expect(leader.outcome('all')).toBe('Complete');
  });

  test('and counts the objects of a node once, however often its ack comes', () => {
    const leader = fleet('a', 'b');
    leader.snapshot(['a', 'b'], ['all']);
    for (let times = 0; times < 3; times++) leader.done('a', 'uid-all', 3);
    leader.done('b', 'uid-all', 4);
    leader.done('b', 'uid-all', 4);
    expect(leader.state.jobs.get('uid-all')?.objects).toBe(7);
  });

  test('and stays so under a new leader, which asks nobody', () => {
    const complete: PurgeJobStatus = {
      completionTime: '2026-11-22T04:00:00Z',
      conditions: [
        {
          type: 'Complete',
          status: 'True',
          reason: 'AllNodesAcked',
          message: '',
          lastTransitionTime: '2026-11-22T04:00:00Z',
        },
      ],
    };
    const leader = successor({ a: { acked } }, { 'uid-all': complete });
    leader.snapshot(['a'], ['all']);
    expect(leader.outcome('all')).toBe('Complete');
    expect(leader.connect('a')).toEqual([]);
  });

  test('without a node whose EdgeNode is gone', () => {
    const leader = fleet('a', 'b');
    leader.snapshot(['a', 'b'], ['all']);
    leader.done('a', 'uid-all');
    leader.snapshot(['a'], ['all']);
    expect(leader.outcome('all')).toBe('Complete');
  });

  test('never when nobody was there to ack', () => {
    const leader = fleet('a');
    leader.snapshot(['a'], [job('some', { nodes: { matchLabels: { no: 'such' } } }), 'all']);
    expect(leader.outcome('some')).toBe('Failed');
    leader.snapshot([], ['all']);
    expect(leader.state.jobs.get('uid-all')?.outcome).toMatchObject({ type: 'Failed', reason: 'NoNodeLeft' });
  });
});

describe('a node that (re)connects with unfinished purges', () => {
  test('is out, catching up, until it acked the last of them', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['one', 'two']);
    leader.connect('a');
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
    leader.done('a', 'uid-one');
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
    leader.done('a', 'uid-two');
    expect(leader.row('a')).toMatchObject(ADMITTED);
  });

  test('is not put out by a job that appears while it is connected', () => {
    const leader = fleet('a');
    expect(leader.snapshot(['a'], ['all']).map(({ type }) => type)).toEqual(['command']);
    expect(leader.row('a')).toMatchObject(ADMITTED);
  });

  test.each([
    ['a stream that it gave up for another', () => {}],
    ['a stream that ended', (leader: Leader) => leader.disconnect('a')],
  ])(
    'keeps its row when it was there and takes two attempts to find the new leader: %s',
    (_what, between) => {
      const leader = moved();
      leader.connect('a');
      between(leader);
      leader.connect('a');
      leader.tick(1);
      // No row of it is told: dns-servers keep the one that they have.
      expect(leader.row('a')).toBeUndefined();
      leader.done('a', 'uid-all');
      expect(leader.row('a')).toMatchObject(ADMITTED);
    },
  );

  test('is out again when it comes back to a leader that had the time to be found', () => {
    const leader = moved();
    leader.connect('a');
    leader.tick(30);
    leader.disconnect('a');
    leader.connect('a');
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
  });

  test('is not let in by a restart of the operator: its row is left out until it connects', () => {
    const leader = successor({ a: { acked }, b: { acked } }, { 'uid-all': unfinished });
    leader.snapshot(
      [node('a', { in: 'it' }), node('b')],
      [job('all', { nodes: { matchLabels: { in: 'it' } } })],
    );
    expect(leader.row('a')).toBeUndefined();
    expect(leader.row('b')).toMatchObject({ acked, ...ADMITTED });
    leader.connect('a');
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
  });
});

describe('a job that ends without a node’s ack', () => {
  test('by its deadline has failed and names the node', () => {
    const leader = fleet('a', 'b');
    leader.disconnect('b');
    leader.snapshot(['a', 'b'], [job('all', { activeDeadlineSeconds: 60 })]);
    leader.done('a', 'uid-all');
    leader.tick(59);
    expect(leader.outcome('all')).toBeUndefined();
    leader.tick(1);
    expect(leader.state.jobs.get('uid-all')?.outcome).toMatchObject({
      type: 'Failed',
      reason: 'DeadlineExceeded',
      message: expect.stringContaining('from b'),
    });
    expect([leader.revalidation('a'), leader.revalidation('b')]).toEqual([undefined, expect.any(String)]);
  });

  test.each(['deadline', 'deletion'])('by %s leaves a node that is cut off in the answers', (how) => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], [job('all', { activeDeadlineSeconds: 60 })]);
    const effects = how === 'deadline' ? leader.tick(61) : leader.snapshot(['a']);
    expect(effects).toEqual([]);
    expect(leader.row('a')).toMatchObject(ADMITTED);
    expect(leader.revalidation('a')).toBeDefined();
  });

  test('makes the node revalidate before it answers again', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['all']);
    leader.snapshot(['a'], []);
    const [uid = ''] = commandsTo('a', leader.connect('a'));
    expect(leader.effects).toContainEqual({
      type: 'command',
      node: 'a',
      command: { type: 'revalidateAll', uid },
    });
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
    leader.done('a', uid);
    expect(leader.row('a')).toMatchObject(ADMITTED);
    expect(leader.revalidation('a')).toBeUndefined();
  });

  test('while a node finds its way to a new leader makes it revalidate before it answers again', () => {
    const leader = moved();
    leader.connect('a');
    leader.disconnect('a');
    leader.snapshot(['a'], []);
    expect(leader.row('a')).toBeUndefined();
    const [uid = ''] = commandsTo('a', leader.connect('a'));
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
    leader.done('a', uid);
    expect(leader.row('a')).toMatchObject(ADMITTED);
  });

  test('makes it revalidate before it gets what is unfinished', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['one', 'two']);
    leader.snapshot(['a'], ['two']);
    expect(commandsTo('a', leader.connect('a'))).toEqual([leader.revalidation('a'), 'uid-two']);
  });

  test('is a new one each time: an old ack does not take the mark away', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['one']);
    leader.snapshot(['a'], []);
    const [first = ''] = commandsTo('a', leader.connect('a'));
    leader.disconnect('a');
    leader.snapshot(['a'], ['two']);
    leader.snapshot(['a'], []);
    leader.done('a', first);
    expect(leader.revalidation('a')).toBeDefined();
    leader.connect('a');
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
  });

  test('keeps a node out that was catching up when it was cut off', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], ['all']);
    leader.connect('a');
    leader.disconnect('a');
    leader.snapshot(['a'], []);
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
  });

  test('sends a connected node the revalidation at once', () => {
    const leader = fleet('a');
    leader.snapshot(['a'], ['all']);
    const effects = leader.snapshot(['a'], []);
    expect(commandsTo('a', effects)).toEqual([leader.revalidation('a')]);
  });

  test('while no operator ran marks the nodes that its status names', () => {
    const awaited = [{ node: 'b', reason: 'NotConnected' }];
    const status = { nodes: { targeted: 2, acked: 1, failed: 0 }, awaited };
    const leader = successor({ a: { acked }, b: { acked } }, { 'uid-all': status });
    leader.snapshot(['a', 'b'], []);
    expect([leader.revalidation('a'), leader.revalidation('b')]).toEqual([undefined, expect.any(String)]);
    expect([leader.row('a'), leader.row('b')]).toEqual([expect.objectContaining(ADMITTED), undefined]);
  });

  test('while no operator ran marks all nodes when its status does not name them all', () => {
    const leader = successor({ a: { acked }, b: { acked } }, { 'uid-all': unfinished });
    leader.snapshot(['a', 'b'], []);
    expect([leader.revalidation('a'), leader.revalidation('b')]).not.toContain(undefined);
  });

  test('and is deleted after it ended marks nobody twice', () => {
    const leader = fleet('a');
    leader.disconnect('a');
    leader.snapshot(['a'], [job('all', { activeDeadlineSeconds: 1 })]);
    leader.tick(2);
    leader.settle('a');
    leader.snapshot(['a'], []);
    expect(leader.revalidation('a')).toBeUndefined();
  });
});

describe('the mark', () => {
  test('outlives the operator', () => {
    const leader = successor({ a: { acked, mustRevalidate: true } });
    leader.snapshot(['a']);
    expect(leader.row('a')).toBeUndefined();
    expect(commandsTo('a', leader.connect('a'))).toEqual([leader.revalidation('a')]);
    expect(leader.row('a')).toMatchObject(CATCHING_UP);
  });

  test('is sent again while the stream is open when the node could not do it', () => {
    const leader = successor({ a: { acked, mustRevalidate: true } });
    leader.snapshot(['a']);
    const [uid = ''] = commandsTo('a', leader.connect('a'));
    leader.failed('a', uid);
    expect(leader.tick(5)).toEqual([]);
    expect(commandsTo('a', leader.tick(5))).toEqual([uid]);
    expect(leader.tick(60)).toEqual([]);
  });
});

describe('a node without a record', () => {
  test('gets the revalidation first and has no row before it acked it and a plan', () => {
    const orders = [
      (leader: Leader, uid: string) => [() => leader.done('a', uid), () => leader.ack('a')],
      (leader: Leader, uid: string) => [() => leader.ack('a'), () => leader.done('a', uid)],
    ];
    for (const order of orders) {
      const leader = new Leader();
      leader.snapshot(['a']);
      const [uid = ''] = commandsTo('a', leader.connect('a', 7, 7));
      for (const step of order(leader, uid)) {
        expect(leader.row('a')).toBeUndefined();
        step();
      }
      expect(leader.row('a')).toMatchObject({ acked: { epoch: 1, seq: 1 }, ...ADMITTED });
    }
  });

  test('is also one whose EdgeNode was away for a while, and whose stream is ended', () => {
    const leader = fleet('a', 'b');
    expect(leader.snapshot(['b'])).toContainEqual({ type: 'dismiss', node: 'a' });
    expect(leader.row('a')).toBeUndefined();
    leader.snapshot(['a', 'b']);
    expect(leader.row('a')).toBeUndefined();
    expect(commandsTo('a', leader.connect('a'))).toEqual([leader.revalidation('a')]);
  });
});

describe('what a node acked', () => {
  test('rises and falls by its own word', () => {
    const leader = fleet('a');
    leader.ack('a', 1, 5);
    expect(leader.row('a')?.acked).toEqual({ epoch: 1, seq: 5 });
    leader.connect('a', 0, 0);
    expect(leader.row('a')?.acked).toEqual({ epoch: 0, seq: 0 });
  });

  test('is not touched by a lost connection, a nack or silence', () => {
    const leader = fleet('a');
    const before = leader.state.rows;
    const revision = { epoch: 1, seq: 9 };
    const nack = { type: 'nack' as const, revision, fault: 'Local' as const, message: 'disk full' };
    leader.on({ type: 'report', role: 'edge', node: 'a', report: nack });
    leader.disconnect('a');
    leader.tick(86_400);
    expect(leader.state.rows).toEqual(before);
    expect(leader.state.nodes.get('a')?.nack?.message).toBe('disk full');
  });
});

describe('a prefetch', () => {
  const prefetch = () =>
    job('warm', {
      everything: undefined,
      action: 'Prefetch',
      urls: ['http://video.example.com/a'],
      activeDeadlineSeconds: 60,
    });

  test('is sent as one, with its pace', () => {
    const leader = fleet('a');
    expect(leader.snapshot(['a'], [prefetch()])).toContainEqual({
      type: 'command',
      node: 'a',
      command: {
        type: 'prefetch',
        uid: 'uid-warm',
        domain: 'uid-video',
        urls: ['http://video.example.com/a'],
        concurrency: 8,
        perSecond: 50,
      },
    });
  });

  test('gates no node, and one that did not do it has nothing to revalidate', () => {
    const leader = fleet('a');
    leader.snapshot(['a'], [prefetch()]);
    leader.disconnect('a');
    expect(commandsTo('a', leader.connect('a'))).toEqual(['uid-warm']);
    expect(leader.row('a')).toMatchObject(ADMITTED);
    expect(leader.tick(3_600)).toEqual([]);
    expect(leader.state.jobs.get('uid-warm')?.outcome?.reason).toBe('DeadlineExceeded');
    expect(leader.row('a')).toMatchObject(ADMITTED);
    expect(leader.state.nodes.get('a')?.revalidation).toBeUndefined();
  });
});

test('a finished job expires once, after its time to live', () => {
  const leader = fleet('a');
  leader.snapshot(['a'], [job('all', { ttlSecondsAfterFinished: 60 })]);
  leader.tick(3_000);
  leader.done('a', 'uid-all');
  expect(leader.tick(59)).toEqual([]);
  expect(leader.tick(1)).toEqual([
    { type: 'expire', ref: { kind: 'PurgeJob', namespace: 'demo', name: 'all' } },
  ]);
  expect(leader.tick(1)).toEqual([]);
});

test('reports of nodes and jobs that are no more change nothing', () => {
  const leader = fleet('a');
  const before = leader.state;
  leader.done('stranger', 'uid-all');
  leader.done('a', 'uid-gone');
  leader.failed('a', 'uid-gone');
  leader.disconnect('stranger');
  expect(leader.state.rows).toEqual(before.rows);
  expect([...leader.state.nodes.keys()]).toEqual(['a']);
});

test('a dns-server’s reports are kept as it says them', () => {
  const leader = new Leader();
  const server = { role: 'dns-server' as const, node: 'dns-1' };
  leader.on({ type: 'connect', ...server, held: { epoch: 0, seq: 0 } });
  leader.on({ type: 'report', ...server, report: { type: 'ack', revision: acked } });
  leader.on({ type: 'report', ...server, report: { type: 'health', nodes: [{ node: 'a', addresses: [] }] } });
  leader.on({ type: 'disconnect', ...server });
  expect(leader.state.dnsServers.get('dns-1')).toEqual({
    connected: false,
    acked,
    nack: undefined,
    health: [{ node: 'a', addresses: [] }],
    healthAt: leader.now - 1,
  });
});

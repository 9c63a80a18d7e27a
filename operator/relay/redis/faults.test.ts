/** What can happen to Redis, to a replica and to a leader: nothing decided is lost, agents keep their streams. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../../lib/testing/eventually.ts';
import { freePort } from '../../../lib/testing/free-port.ts';
import { type RedisServer, startRedis } from '../../testing/redis-server.ts';
import { edgePlan, REVALIDATE, RelayAgent, type TestDesk, testDesk } from '../../testing/relay-agents.ts';
import { type RelayPair, startRelayPair, startReplica } from '../../testing/relay-pair.ts';
import { redisAccess } from './access.ts';
import { redisClient } from './clients.ts';
import { RelayStore } from './store.ts';

let redis: RedisServer;
let desk: TestDesk;
let pair: RelayPair;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  desk = testDesk();
  pair = await startRelayPair(desk, redis);
  desk.command = (node, uid) => pair.switchboard.command({ role: 'edge', node }, REVALIDATE(uid));
});
afterEach(() => pair.stop());

const agent = (node: string) => new RelayAgent(pair.replica.sessions, 'edge', node).connect();
const last = (of: RelayAgent, line: string) => eventually(() => expect(of.got.at(-1)).toBe(line));
const troubles = () => [pair.leader, pair.replica].map(({ relay }) => relay.trouble());
const healed = () => eventually(() => expect(troubles()).toEqual([undefined, undefined]));

/** An edge on the other replica, with a plan that it acked and a purge that it did not. */
async function workingEdge(): Promise<RelayAgent> {
  let published = edgePlan(1);
  desk.plan = (role) => (role === 'edge' ? published : undefined);
  pair.switchboard.plan('edge', published);
  const a = agent('a');
  await last(a, 'plan 3.1');
  await a.ack(1);
  await eventually(() => expect(desk.seen).toContain('ack a 3.1'));
  desk.pending.push('purge');
  desk.command('a', 'purge');
  await last(a, 'command purge');
  publish = (seq) => {
    published = edgePlan(seq);
    pair.switchboard.plan('edge', published);
  };
  return a;
}
let publish: (seq: number) => void;

describe('Redis', () => {
  test('is flushed: what is out is put there again, and the purge is sent again', async () => {
    const a = await workingEdge();
    await redis.cli('FLUSHALL');
    await eventually(() => expect(desk.seen).toContain('resume a 3.1'));
    await eventually(() => expect(a.got.filter((line) => line === 'command purge')).toHaveLength(2));
    publish(2);
    await eventually(() => expect(a.got).toContain('plan 3.2'));
    expect(a.got).not.toContain('end');
    // One that comes later finds everything there too.
    const late = startReplica(pair.access);
    await eventually(() => expect(late.relay.trouble()).toBeUndefined());
    const b = new RelayAgent(late.sessions, 'edge', 'b').connect();
    await last(b, 'plan 3.2');
    late.relay.stop();
  });

  test('is killed, and comes back empty: both sides say so, agents keep their streams, and all heals', async () => {
    const a = await workingEdge();
    await redis.kill();
    await eventually(() =>
      expect(troubles()).toEqual([
        'Redis does not answer: other replicas’ agents hear nothing new',
        'Redis does not answer: agents keep what they hold',
      ]),
    );
    expect(await pair.replica.metric('weir_operator_relay_up')).toBe(0);
    // It is said while nobody can hear it; the agent need not keep it, since it is asked again.
    await a.done('purge');
    publish(2);
    // Those who come now are sent to the leader.
    const b = agent('b');
    await last(b, 'refused 307 at the leader');
    await expect(new RelayAgent(pair.replica.sessions, 'edge', 'b').done('x')).rejects.toThrow(
      'at the leader',
    );
    const before = a.got.length;
    await redis.start();
    await healed();
    await eventually(() => expect(a.got).toContain('plan 3.2'));
    // By whom it was announced first, and whether twice, is chance; that nothing comes before it is not.
    expect(a.got[before]).toBe('command purge');
    await a.done('purge');
    await eventually(() => expect(desk.seen.at(-1)).toBe('done a purge'));
    expect(desk.seen).not.toContain('disconnect a');
    expect(await pair.replica.metric('weir_operator_relay_up')).toBe(1);
  }, 30_000);

  test('holds still, as behind a cut cable: the same', async () => {
    const a = await workingEdge();
    redis.freeze();
    try {
      await eventually(() => expect(troubles()).not.toContain(undefined));
    } finally {
      redis.thaw();
    }
    await healed();
    publish(2);
    // The purge may be sent once more behind it: its streams were announced twice.
    await eventually(() => expect(a.got).toContain('plan 3.2'));
    expect(a.got).not.toContain('end');
  }, 40_000);

  test('lost some messages: who misses them is told all again', async () => {
    const a = await workingEdge();
    // What lies there now is read; the next is gone before anyone can.
    const store = storeOf();
    const trim = (stream: string) => redis.cli('DEL', `{${pair.access.prefix}}:1:${stream}`);
    redis.freeze();
    publish(2);
    const lost = a.done('purge');
    redis.thaw();
    await Promise.all([trim('down'), trim('up'), lost]);
    publish(3);
    await eventually(() => expect(a.got.at(-1)).toMatch(/plan 3.[23]/));
    await a.ack(Number(a.got.at(-1)?.split('.')[1]));
    await eventually(() => expect(a.got).toContain('plan 3.3'));
    store.close();
  });

  test('holds these keys and no others, each expires, and streams do not grow', async () => {
    const a = await workingEdge();
    for (let round = 0; round < 150; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => a.done(`${round}-${index}`)));
    }
    const prefix = `{${pair.access.prefix}}:1:`;
    const keys = (await redis.cli('KEYS', `{${pair.access.prefix}}*`)).split('\n').sort();
    expect(keys).toEqual(['down', 'leader', 'plan:edge', 'table', 'up'].map((name) => `${prefix}${name}`));
    for (const key of keys) expect(Number(await redis.cli('TTL', key))).toBeGreaterThan(0);
    // What the leader has read goes at once, the rest by age and length.
    await eventually(async () => expect(Number(await redis.cli('XLEN', `${prefix}up`))).toBeLessThan(100));
  }, 60_000);
});

const storeOf = () => {
  const client = () => redisClient(pair.access, () => {});
  return new RelayStore(client(), client(), pair.access.prefix);
};

describe('a replica', () => {
  test('that dies takes its streams with it, after a while; its agents were there all the time if they come elsewhere', async () => {
    const [a, b] = [agent('a'), agent('b')];
    for (const edge of [a, b]) await last(edge, 'hello 3');
    pair.replica.relay.stop();
    const other = startReplica(pair.access);
    await eventually(() => expect(other.relay.trouble()).toBeUndefined());
    const again = new RelayAgent(other.sessions, 'edge', 'a').connect();
    await last(again, 'hello 3');
    await eventually(() => expect(desk.seen.at(-1)).toBe('disconnect b'));
    const ofA = desk.seen.filter((line) => line.includes(' a'));
    expect(ofA).toEqual(['connect a 0.0', 'resume a 0.0']);
    other.relay.stop();
  });

  test('hears an agent’s verdict whichever replica the agent told it', async () => {
    pair.switchboard.plan('edge', edgePlan(1));
    const a = agent('a');
    await last(a, 'plan 3.1');
    pair.switchboard.plan('edge', edgePlan(2));
    await a.report({ type: 'ack', revision: { epoch: 3, seq: 1 } }, pair.leader.sessions);
    await last(a, 'plan 3.2');
  });

  test('knows how long a message takes, and the leader how many replicas there are', async () => {
    await eventually(async () => {
      expect(await pair.replica.metric('weir_operator_relay_round_trip_seconds')).toBeGreaterThan(0);
      expect(await pair.leader.metric('weir_operator_relay_replicas')).toBe(2);
    });
  });
});

describe('a leader', () => {
  test('that another one has followed is not heard any more, and learns of it', async () => {
    const a = agent('a');
    await last(a, 'hello 3');
    const outranked: number[] = [];
    const elder = startReplica(pair.access);
    elder.lead(testDesk(2), 2, (epoch) => outranked.push(epoch));
    await eventually(() => expect(outranked).toContain(3));
    expect(elder.relay.trouble()).toBeDefined();
    elder.relay.stop();
    // And should it get through to Redis all the same, replicas do not listen.
    const store = storeOf();
    const end = { epoch: 2, term: 'x', n: 1, say: { type: 'beat', heard: {} } };
    await eventually(() => store.append('down', [end]));
    await eventually(async () =>
      expect(await pair.replica.metric('weir_operator_relay_fenced_total')).toBe(1),
    );
    store.close();
    expect(a.got).toEqual(['hello 3']);
  });

  test('that comes long after the last one is told of every stream', async () => {
    const a = await workingEdge();
    pair.leader.relay.stop();
    await eventually(() => expect(pair.replica.relay.trouble()).toBe('no leader is heard through Redis'));
    await last(agent('b'), 'refused 503 no leader is heard through Redis');
    const next = testDesk(4);
    next.plan = (role) => (role === 'edge' ? edgePlan(1, 4) : undefined);
    await pair.succeed(next, 4);
    await eventually(() => expect(next.seen).toEqual(['resume a 3.1']));
    await last(a, 'plan 4.1');
  });

  test('of the same epoch as another is none', async () => {
    const outranked: number[] = [];
    const twin = startReplica(pair.access);
    twin.lead(testDesk(3), 3, (epoch) => outranked.push(epoch));
    await eventually(() => expect(outranked).toContain(3));
    twin.relay.stop();
  });
});

describe('whom to let in', () => {
  const policy = (denied: string) => ({
    serviceAccounts: { edge: [], 'dns-server': [] },
    deny: [{ serial: denied }],
    incarnations: { a: 'uid-a' },
  });

  test('is known at every replica, as the leader says it, and again after a loss', async () => {
    pair.leader.relay.policyIs(policy('AA'));
    await eventually(() => expect(pair.replica.relay.policy()).toEqual(policy('AA')));
    await redis.cli('FLUSHALL');
    pair.leader.relay.policyIs(policy('BB'));
    await eventually(() => expect(pair.replica.relay.policy()).toEqual(policy('BB')));
    const late = startReplica(pair.access);
    await eventually(() => expect(late.relay.policy()).toEqual(policy('BB')));
    late.relay.stop();
  });
});

describe('access', () => {
  const run = promisify(execFile);
  let folder: string;
  let secured: RedisServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-redis-tls-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
    const subject = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await run('openssl', [
      'req',
      '-x509',
      ...made,
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '2',
      ...subject,
    ]);
    const tls = { 'tls-cert-file': certificate, 'tls-key-file': key, 'tls-auth-clients': 'no' };
    const port = String(await freePort());
    secured = await startRedis({
      scheme: 'rediss',
      flags: { ...tls, 'tls-port': port, port: '0', requirepass: 'open-sesame' },
      cliFlags: ['-p', port, '--tls', '--cacert', certificate, '-a', 'open-sesame', '--no-auth-warning'],
    });
    secured.url = `rediss://127.0.0.1:${port}`;
    await writeFile(join(folder, 'password'), 'open-sesame\n');
  });
  afterAll(async () => {
    await secured.stop();
    await rm(folder, { recursive: true });
  });

  const settings = (lines: string) =>
    writeFile(join(folder, 'weir.yaml'), `redis:\n  url: ${secured.url}\n${lines}`);
  const read = (environment: NodeJS.ProcessEnv = {}) => redisAccess(join(folder, 'weir.yaml'), environment);

  test('is over TLS with a CA of one’s own, with the password of a file', async () => {
    await settings('  caFile: ca.pem\n  passwordFile: password\n');
    const access = await read();
    if (!access) throw new Error('no settings');
    const { url, password = '', ca = '' } = access;
    const tls = await startRelayPair(testDesk(), { url, password, ca });
    const a = new RelayAgent(tls.replica.sessions, 'edge', 'a').connect();
    await last(a, 'hello 3');
    await tls.stop();
  });

  test('is with a password of the environment', async () => {
    await settings('  caFile: ca.pem\n');
    expect(await read({ WEIR_REDIS_PASSWORD: 'x' })).toMatchObject({
      password: 'x',
      ca: (await readFile(join(folder, 'ca.pem'), 'utf8')).trim(),
    });
  });

  test('is nothing where there is no Redis, and an error where a file is missing or the URL has a password', async () => {
    await writeFile(join(folder, 'weir.yaml'), 'zones: []\n');
    expect(await read()).toBeUndefined();
    await settings('  caFile: other.pem\n');
    await expect(read()).rejects.toThrow('other.pem');
    await writeFile(join(folder, 'weir.yaml'), 'redis: { url: "redis://weir:secret@127.0.0.1:1" }\n');
    await expect(read()).rejects.toThrow(/no password[\s\S]*redis\.url/);
    await expect(read()).rejects.not.toThrow('secret');
  });
});

/** What is not looked at again, and whose turn it is. */
import { expect, test } from 'vitest';
import { admit } from '../admit/admit.ts';
import { type Accepted, type Admission, NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { NO_HOLDINGS } from '../certificates/holdings.ts';
import { compile } from '../compile/compile.ts';
import { type Publication, publish, startPublication } from '../publish/publication.ts';
import { domainManifest, loadedFrom, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { Leader } from '../testing/resources.ts';
import { type Statuses, statusOf } from './record.ts';
import { statuses } from './statuses.ts';

const NODES = ['a', 'b', 'c'];
const nodes = NODES.map((name, index) => nodeManifest(name, { addresses: [`192.0.2.${index + 1}`] })).join(
  '',
);

/** Three nodes that are told of, one plan after the other, with turns for some. */
class Fleet {
  readonly leader = new Leader();
  #accepted: Accepted = NOTHING_ACCEPTED;
  #admission: Admission | undefined;
  #publication: Publication = startPublication(1, new Map(), 'run');
  #before: Statuses = new Map();

  /** Another plan than before. */
  publish(port: number): this {
    const origins = [{ name: 'main', url: `http://origin.example.net:${port}` }];
    const text = domainManifest('video', { origins }) + nodes;
    const admission = admit(loadedFrom({ 'weir.yaml': SETTINGS, 'a.yaml': text }), this.#accepted);
    if (!admission.config) throw new Error('the settings were refused');
    this.#accepted = admission.accepted;
    this.#admission = admission;
    this.leader.on({ type: 'snapshot', snapshot: admission.snapshot });
    this.#publication = publish(this.#publication, compile(admission.snapshot, admission.config));
    return this;
  }

  ack(): this {
    const { revision } = this.#publication.edge ?? {};
    for (const name of NODES) this.leader.ack(name, revision?.epoch ?? 0, revision?.seq ?? 0);
    return this;
  }

  look(turns?: number) {
    if (!this.#admission) throw new Error('nothing was read');
    const told = statuses({
      admission: this.#admission,
      publication: this.#publication,
      holdings: NO_HOLDINGS,
      state: this.leader.state,
      before: this.#before,
      due: { epoch: 1, seq: 1 },
      turns,
      now: this.leader.now,
    });
    this.#before = told.records;
    const acked = NODES.map(
      (name) => statusOf(told.records.get(`EdgeNode//${name}`), 'EdgeNode')?.acked?.seq,
    );
    const connected = NODES.filter((name) => this.#isConnected(name));
    return { acked, connected, waiting: told.waiting };
  }

  #isConnected(name: string): boolean {
    const { conditions = [] } = this.#before.get(`EdgeNode//${name}`)?.status ?? {};
    return conditions.some(({ type, status }) => type === 'Connected' && status === 'True');
  }
}

test('which revision a node has is told by turns, of the oldest first', () => {
  const fleet = new Fleet().publish(8_001);
  for (const name of NODES) {
    fleet.leader.connect(name, 0, 0);
    fleet.leader.done(name, fleet.leader.revalidation(name) ?? '');
  }
  fleet.ack();
  expect(fleet.look()).toMatchObject({ acked: [1, 1, 1], waiting: false });
  fleet.publish(8_002).ack();
  const second = fleet.look(1);
  expect(second.waiting).toBe(true);
  const [told = 0] = second.acked.filter((seq) => seq !== 1);
  expect(second.acked).toEqual([told, 1, 1]);
  fleet.publish(8_003).ack();
  const third = fleet.look(1);
  const newest = Math.max(...third.acked.map(Number));
  // The first one was told of a moment ago.
  expect(third.acked).toEqual([told, newest, 1]);
  expect(fleet.look(5)).toMatchObject({ acked: [newest, newest, newest], waiting: false });
});

test('that a node turned waits for no turn', () => {
  const fleet = new Fleet().publish(8_001);
  expect(fleet.look(0).connected).toEqual([]);
  fleet.leader.connect('b', 0, 0);
  expect(fleet.look(0).connected).toEqual(['b']);
});

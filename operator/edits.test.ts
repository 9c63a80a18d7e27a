/**
 * The steps after admit take what they made before, and make anew what changed: sequences of edits, reports and looks,
 * of which each comes to what it comes to from scratch.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admit } from './admit/admit.ts';
import { type Admission, NO_EXPERIENCE, NOTHING_ACCEPTED } from './admit/snapshot.ts';
import { NO_HOLDINGS } from './certificates/holdings.ts';
import { compile } from './compile/compile.ts';
import { decide } from './decide/decide.ts';
import { plansPublished } from './decide/quarantine.ts';
import { type DecideState, initialState } from './decide/state.ts';
import { type Publication, publish, startPublication } from './publish/publication.ts';
import type { SourceDocument } from './source/source.ts';
import type { Statuses } from './status/record.ts';
import { type Pass, statuses } from './status/statuses.ts';
import { domainManifest, jobManifest, loadedFrom, nodeManifest, SETTINGS } from './testing/manifests.ts';

const SEED = Number(process.env.WEIR_TEST_SEED ?? 5);
const NOW = Date.parse('2026-11-22T04:00:00Z');

const domains = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const nodes = fc.constantFrom('n1', 'n2', 'n3');
const edit = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(domains, fc.nat(3)).map(([name, port]) => [name, domainAt(name, port)]) },
  {
    weight: 1,
    arbitrary: fc.tuple(domains, nodes).map(([name, node]) => [name, domainOn(name, node)]),
  },
  { weight: 1, arbitrary: nodes.map((name) => [name, nodeManifest(name, { weight: 50 })]) },
  { weight: 1, arbitrary: domains.map((name) => [`job-${name}`, jobManifest(`job-${name}`, jobOf(name))]) },
  { weight: 1, arbitrary: domains.map((name) => [name, domainManifest(name, { orgins: [] })]) },
  { weight: 1, arbitrary: fc.oneof(domains, nodes).map((name) => [name, '']) },
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('edit' as const), edit }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('ack' as const), node: nodes, behind: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), node: nodes }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('dns' as const), healthy: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('look' as const), deferred: fc.nat(3), turns: fc.nat(3) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function domainAt(name: string, port: number): string {
  return domainManifest(name, { origins: [{ name: 'main', url: `http://192.0.2.1:${8_000 + port}` }] });
}
const domainOn = (name: string, node: string) =>
  domainManifest(name, { routing: { nodes: { matchLabels: { 'kubernetes.io/hostname': node } } } });
const jobOf = (name: string) => ({ domainRef: { name } });

/** As the reconciler holds them, and beside each step the same from scratch. */
class Loop {
  readonly #files = new Map<string, readonly SourceDocument[]>();
  readonly #config = loadedFrom({ 'weir.yaml': SETTINGS }).config;
  #admission: Admission | undefined;
  #publication: Publication = startPublication(1, new Map(), 'run');
  #state: DecideState = initialState({ nodes: new Map(), jobs: new Map() });
  #written: Statuses = new Map();
  #pass: Pass | undefined;
  #now = NOW;

  constructor() {
    for (const name of ['a', 'b', 'c', 'd']) this.#put(name, domainAt(name, 0));
    for (const name of ['n1', 'n2', 'n3']) this.#put(name, nodeManifest(name));
    this.#load();
    for (const node of ['n1', 'n2', 'n3']) {
      const held = { epoch: 0, seq: 0 };
      this.#decide({ type: 'connect', role: 'edge', node, held });
    }
    this.#decide({ type: 'connect', role: 'dns-server', node: 'dns', held: { epoch: 0, seq: 0 } });
  }

  take(next: Step): void {
    this.#now += 1_000;
    switch (next.type) {
      case 'edit': {
        const [name = '', text = ''] = next.edit;
        this.#put(name, text);
        this.#load();
        break;
      }
      case 'ack': {
        const { epoch, seq } = this.#publication.edge?.revision ?? { epoch: 0, seq: 0 };
        const revision = { epoch, seq: Math.max(1, seq - next.behind) };
        this.#decide({
          type: 'report',
          role: 'edge',
          node: next.node,
          report: { type: 'ack', revision },
        });
        break;
      }
      case 'leave':
        this.#decide({ type: 'disconnect', role: 'edge', node: next.node });
        break;
      case 'dns': {
        const revision = this.#publication.routing?.revision ?? { epoch: 0, seq: 0 };
        const addresses = [{ address: '192.0.2.10', healthy: next.healthy, detail: '' }];
        const health = { type: 'health' as const, nodes: [{ node: 'n1', addresses }] };
        for (const report of [{ type: 'ack' as const, revision }, health])
          this.#decide({ type: 'report', role: 'dns-server', node: 'dns', report });
        break;
      }
      case 'look':
        this.#look(next);
    }
  }

  #put(name: string, text: string): void {
    this.#files.set(name, text === '' ? [] : loadedFrom({ [`${name}.yaml`]: text }).documents);
  }

  #decide(event: Parameters<typeof decide>[1]): void {
    this.#state = decide(this.#state, event, this.#now).state;
  }

  #load(): void {
    const rows = [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1));
    const at = new Date(this.#now).toISOString();
    const loaded = { at, config: this.#config, documents: rows.flatMap(([, documents]) => documents) };
    const accepted = this.#admission?.accepted ?? NOTHING_ACCEPTED;
    const admission = admit(loaded, accepted, NO_EXPERIENCE, this.#admission);
    this.#admission = admission;
    const { snapshot, config } = admission;
    if (!config) throw new Error('the settings are in order');
    this.#decide({ type: 'snapshot', snapshot });
    const before = this.#publication;
    const compiled = compile(snapshot, config);
    this.#publication = publish(before, compiled);
    const afresh = compile(structuredClone(snapshot), structuredClone(config));
    expect(compiled).toEqual(afresh);
    // Back to what the next edit is of.
    compile(snapshot, config);
    expect(shown(this.#publication)).toEqual(
      shown(publish(structuredClone({ ...before, history: new Map(before.history) }), afresh)),
    );
    this.#publish(snapshot);
  }

  #publish(snapshot: Admission['snapshot']): void {
    const { edge, routing } = this.#publication;
    if (!edge || !routing) throw new Error('there are plans');
    const plans = { edge: edge.revision, 'dns-server': routing.revision };
    const { quarantine } = this.#state;
    const unknown = { ...quarantine, of: { domains: [], nodes: [] } };
    const afresh = plansPublished({ ...this.#state, quarantine: unknown }, snapshot, plans);
    this.#decide({ type: 'published', snapshot, plans, quarantined: new Set() });
    expect(new Map(this.#state.quarantine.forms)).toEqual(new Map(afresh.quarantine.forms));
  }

  /** `deferred`: so many of the records that changed are not written. */
  #look({ deferred, turns }: Extract<Step, { type: 'look' }>): void {
    if (!this.#admission) return;
    const input = {
      admission: this.#admission,
      publication: this.#publication,
      state: this.#state,
      holdings: NO_HOLDINGS,
      before: this.#written,
      due: this.#publication.edge?.revision,
      turns,
      now: this.#now,
    };
    const told = statuses(input, this.#pass);
    const afresh = statuses(input);
    expect(new Map(told.records)).toEqual(new Map(afresh.records));
    expect(told.waiting).toBe(afresh.waiting);
    const changed = [...told.records].filter(([key, record]) => this.#written.get(key) !== record);
    const written = new Map(told.records);
    for (const [key] of changed.slice(0, deferred)) {
      const old = this.#written.get(key);
      if (old) written.set(key, old);
      else written.delete(key);
    }
    this.#written = written;
    this.#pass = told.pass;
  }
}

const shown = ({ seq, edge, routing, history }: Publication) => ({
  seq,
  edge,
  routing,
  history: new Map(history),
});

test(`what is made of an edit is what is made from scratch (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
      const loop = new Loop();
      for (const next of steps) loop.take(next);
    }),
    { seed: SEED, numRuns: Number(process.env.WEIR_TEST_RUNS ?? 60) },
  );
});

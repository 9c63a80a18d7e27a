/**
 * What the operator's pure steps cost, whole and after one edit: from manifests to plans, tables and statuses.
 *
 *     node bench/compile/main.ts [--domains 10000] [--nodes 1000] [--rounds 5]
 */

import { parseArgs } from 'node:util';
import type { Revision } from '../../contract/plans/revision.ts';
import { memo } from '../../lib/memo.ts';
import { admit } from '../../operator/admit/admit.ts';
import {
  type Accepted,
  type Admission,
  NO_EXPERIENCE,
  NOTHING_ACCEPTED,
} from '../../operator/admit/snapshot.ts';
import { NO_HOLDINGS } from '../../operator/certificates/holdings.ts';
import { compile } from '../../operator/compile/compile.ts';
import { decide } from '../../operator/decide/decide.ts';
import { type DecideEvent, initialState } from '../../operator/decide/state.ts';
import { PlanLines } from '../../operator/publish/plan-lines.ts';
import { publish, startPublication } from '../../operator/publish/publication.ts';
import { toDocument } from '../../operator/source/kubernetes/to-document.ts';
import { storedDigest } from '../../operator/source/stored-form.ts';
import type { Statuses } from '../../operator/status/record.ts';
import { type Pass, statuses } from '../../operator/status/statuses.ts';
import { apiObjectOf, domainManifest, nodeManifest, settingsDocument } from './fleet.ts';

const { values: options } = parseArgs({
  options: {
    domains: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
  },
});
const [domains, nodes, rounds] = [options.domains, options.nodes, options.rounds].map(Number);

const AT = '2026-11-22T04:00:00Z';
const objects = [
  ...Array.from({ length: domains ?? 0 }, (_, index) => ({
    kind: 'CdnDomain' as const,
    object: apiObjectOf(domainManifest(index)),
  })),
  ...Array.from({ length: nodes ?? 0 }, (_, index) => ({
    kind: 'EdgeNode' as const,
    object: apiObjectOf(nodeManifest(index)),
  })),
];

let accepted: Accepted = NOTHING_ACCEPTED;
let newest: Admission | undefined;
/** The plan before the newest: nobody is behind who has not acked that one for a moment. */
let due: Revision | undefined;
let publication = startPublication(1, new Map(), 'run');
let state = initialState({ nodes: new Map(), jobs: new Map() });
let written: Statuses = new Map();
let earlier: Pass | undefined;
let now = Date.parse(AT);
const lines = new PlanLines();

/** An object that did not change stays the same document, as in the source. */
const documentOf = memo(({ kind, object }: (typeof objects)[number]) => toDocument(kind, object));

/** Milliseconds by stage, in order. */
type Stages = Map<string, number>;

/** One pass of everything that follows a change, as the reconciler does it. */
function pass(): Stages {
  const stages: Stages = new Map();
  const timed = <T>(name: string, step: () => T): T => {
    const start = performance.now();
    const result = step();
    stages.set(name, (stages.get(name) ?? 0) + performance.now() - start);
    return result;
  };
  now += 1_000;
  const documents = timed('documents', () =>
    objects.map(documentOf).sort((a, b) => (a.file < b.file ? -1 : 1)),
  );
  const admission = timed('admit', () =>
    admit({ at: AT, config: settingsDocument, documents }, accepted, NO_EXPERIENCE, newest),
  );
  newest = admission;
  accepted = admission.accepted;
  const { snapshot, config } = admission;
  if (!config) throw new Error('the settings were refused');
  timed('accepted forms', () => {
    for (const form of accepted.resources.values()) storedDigest(form);
  });
  timed('decide', () => {
    state = decide(state, { type: 'snapshot', snapshot }, now).state;
  });
  const compiled = timed('compile', () => compile(snapshot, config));
  const before = publication.edge;
  due = before?.revision;
  publication = timed('publish', () => publish(publication, compiled));
  const { edge } = publication;
  const { routing } = publication;
  timed('published', () => {
    if (!edge || !routing) return;
    const plans = { edge: edge.revision, 'dns-server': routing.revision };
    state = decide(state, { type: 'published', snapshot, plans, quarantined: new Set() }, now).state;
  });
  timed('line', () => edge && lines.lineFor(edge, before && { digest: before.digest, run: before.run }, 2));
  timed('status', look);
  return stages;
}

/** As many nodes' newer revisions are told at once as an API server takes. */
const TURNS = 12;

function look(): void {
  if (!newest) return;
  const values = { admission: newest, publication, state, holdings: NO_HOLDINGS, due };
  const { records, pass } = statuses({ ...values, before: written, turns: TURNS, now }, earlier);
  written = records;
  earlier = pass;
}

/** Every node connects and acks the plan. */
function ackAll(): number {
  const held = publication.edge?.revision ?? { epoch: 0, seq: 0 };
  const report = { type: 'ack', revision: held } as const;
  const took = ofEach((node) => ({ type: 'report', role: 'edge', node, report }));
  const server = { role: 'dns-server', node: 'dns-1' } as const;
  const revision = publication.routing?.revision ?? held;
  state = decide(state, { type: 'report', ...server, report: { type: 'ack', revision } }, now).state;
  return took;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const total = (stages: Stages) => [...stages.values()].reduce((sum, ms) => sum + ms, 0);

/** Milliseconds until this is decided of every node. */
function ofEach(event: (node: string) => DecideEvent): number {
  const start = performance.now();
  for (let index = 0; index < (nodes ?? 0); index++) state = decide(state, event(`edge-${index}`), now).state;
  return performance.now() - start;
}

const whole = pass();
const connectAll = () =>
  ofEach((node) => ({ type: 'connect', role: 'edge', node, held: { epoch: 0, seq: 0 } }));
connectAll();
const nothing = { epoch: 0, seq: 0 };
state = decide(state, { type: 'connect', role: 'dns-server', node: 'dns-1', held: nothing }, now).state;
ackAll();
pass();
look();
const edits: Stages[] = [];
const acks: number[] = [];
const looks: number[] = [];
for (let round = 0; round < (rounds ?? 1); round++) {
  const index = (round * 7_919) % (domains ?? 1);
  objects[index] = {
    kind: 'CdnDomain',
    object: apiObjectOf(domainManifest(index, 9_000 + round), 2 + round),
  };
  edits.push(pass());
  acks.push(ackAll());
  const began = performance.now();
  look();
  looks.push(performance.now() - began);
}

const print = (line: string) => process.stdout.write(`${line}\n`);
const row = (name: string, first: number, edit: number) =>
  print(
    `${name.padEnd(16)}${first.toFixed(1).padStart(10)}${edit.toFixed(1).padStart(12)}${(edit / first).toFixed(3).padStart(10)}`,
  );
print(`${domains} domains, ${nodes} nodes: milliseconds`);
print(`${'stage'.padEnd(16)}${'whole'.padStart(10)}${'one edit'.padStart(12)}${'ratio'.padStart(10)}`);
for (const [name, ms] of whole) row(name, ms, median(edits.map((stages) => stages.get(name) ?? 0)));
row('all', total(whole), median(edits.map(total)));
print(`${nodes} acks decided: ${median(acks).toFixed(1)} ms`);
const cutOff = ofEach((node) => ({ type: 'disconnect', role: 'edge', node }));
print(`cut off at once: ${cutOff.toFixed(1)} ms; connected again: ${connectAll().toFixed(1)} ms`);
print(`status after that: ${median(looks).toFixed(1)} ms`);
print(`memory: ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB resident`);

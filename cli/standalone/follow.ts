/**
 * Follows EdgeNodes and settings as they come, change and go: asks the operator what is in force. An answer that fails
 * changes nothing, and one that lacks a node counts only when it is repeated.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { type WeirConfig, weirConfig } from '../../contract/config/weir-config.ts';
import { KINDS } from '../../contract/kinds/kinds.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import type { OperatorClient } from '../installation/operator-client.ts';
import { viewsOf } from '../resource-views.ts';
import { localEdges, type NamedSpec } from './local-edges.ts';
import type { Installation, LocalEdge } from './programs.ts';

const POLL_MS = 1_000;
/** An operator that lost its memory lists nothing until it has read the folder: so many answers in a row must agree. */
const MISSING_ANSWERS = 3;

export interface FollowOptions {
  installation: Installation;
  operator: (config: WeirConfig) => Pick<OperatorClient, 'resources'>;
  clock: Clock;
  log: Log;
  onChange: (installation: Installation) => void;
}

/** Returns a function that ends it. */
export function followInstallation({
  installation,
  operator,
  clock,
  log,
  onChange,
}: FollowOptions): () => void {
  let current = installation;
  let missing: ReadonlyMap<string, number> = new Map();
  const placedEdges = placer();
  const acceptedConfig = configReader(installation.state.config);
  const poll = latest<void>(async () => {
    try {
      const { resources } = await operator(current.config).resources();
      const answer = { here: await placedEdges(namedSpecs(resources)), named: namesOf(resources) };
      const kept = keepEdges(current.edges, answer, missing);
      missing = kept.missing;
      current = { ...current, edges: kept.edges, config: (await acceptedConfig()) ?? current.config };
    } catch (error) {
      log.debug({ err: error }, 'the operator does not answer; everything stays as it is');
    }
    // Also when nothing changed: what ended only now can be started again.
    onChange(current);
  });
  return clock.every(POLL_MS, () => poll.offer());
}

/** The settings in force, parsed anew only when their file changed: they may name a hundred thousand networks. */
function configReader(path: string): () => Promise<WeirConfig | undefined> {
  let text: string | undefined;
  let config: WeirConfig | undefined;
  return async () => {
    const now = await readFileIfThere(path);
    if (now === undefined || now === text) return config;
    text = now;
    config = weirConfig.parse(parse(now));
    return config;
  };
}

/** Looks anew at which edges are here only when one changed: a fleet has thousands that are elsewhere. */
function placer(): (nodes: NamedSpec[]) => Promise<LocalEdge[]> {
  let nodes: NamedSpec[] = [];
  let edges: LocalEdge[] = [];
  return async (now) => {
    if (isDeepStrictEqual(now, nodes)) return edges;
    ({ edges } = await localEdges(now));
    nodes = now;
    return edges;
  };
}

function namedSpecs(resources: readonly ResourceView[]): NamedSpec[] {
  return viewsOf(resources, 'EdgeNode').flatMap(({ metadata: { name }, spec }) => {
    const parsed = KINDS.EdgeNode.spec.safeParse(spec);
    return parsed.success ? [{ name, spec: parsed.data }] : [];
  });
}

const namesOf = (resources: readonly ResourceView[]) => ({
  all: new Set(viewsOf(resources, 'EdgeNode').map(({ metadata }) => metadata.name)),
  readable: new Set(namedSpecs(resources).map(({ name }) => name)),
});

interface Answer {
  /** Edges of this machine. */
  here: readonly LocalEdge[];
  /** EdgeNodes that are listed, and those of them whose spec is readable. */
  named: { all: ReadonlySet<string>; readable: ReadonlySet<string> };
}

/** The edges after an answer, and how often in a row each of those that it lacks was missing. Pure. */
export function keepEdges(
  before: readonly LocalEdge[],
  { here, named }: Answer,
  missing: ReadonlyMap<string, number>,
): { edges: LocalEdge[]; missing: Map<string, number> } {
  const found = new Set(here.map(({ name }) => name));
  // What is listed and not here has moved to another machine.
  const absent = before.filter(({ name }) => !found.has(name) && !named.readable.has(name));
  const counts = new Map(
    // Listed with a spec that can not be read yet: that is no deletion.
    absent.map(({ name }) => [name, named.all.has(name) ? 0 : (missing.get(name) ?? 0) + 1]),
  );
  const kept = absent.filter(({ name }) => (counts.get(name) ?? 0) < MISSING_ANSWERS);
  const edges = [...here, ...kept].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { edges, missing: counts };
}

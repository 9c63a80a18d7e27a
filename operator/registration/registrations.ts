/**
 * Kubernetes nodes, edge pods and EdgeNodes as they are now, and what has to be written so that they fit. Pure.
 *
 *     node with an edge pod ──pod Ready──> EdgeNode, schedulable
 *          cordoned, tainted to go, pod ends ──> schedulable: false, leaving since now      out of DNS, before the pod ends
 *                pod and linger are over ──────> removed                                    resolvers have forgotten it
 *                a pod is Ready again ─────────> schedulable
 *
 * An EdgeNode of that name that somebody else made is left alone, and of ours each field that somebody else owns.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import { type EdgeNodeSpec, edgeNode } from '../../contract/kinds/edge-node.ts';
import { API_VERSION, GROUP } from '../../contract/kinds/kind.ts';
import { edgeNodeName } from '../../contract/kinds/node-name.ts';
import type { ApiObject } from '../kubernetes/objects.ts';
import {
  currentPod,
  type EdgePod,
  isLeaving,
  isReady,
  isTerminating,
  type KubernetesNode,
  nodeOf,
} from './cluster-objects.ts';
import { edgeNodeForm } from './edge-node-form.ts';
import { isApplied, ownedPart, withoutOthers } from './owned-fields.ts';
import type { Fault } from './read-node.ts';

export const FIELD_MANAGER = 'weir-registration';

/** The Kubernetes node that an EdgeNode of ours stands for. */
const NODE = `${GROUP}/node`;
/** The uid of the pod that was seen Ready there: what its kubelet says of it later counts no more than silence. */
const POD = `${GROUP}/pod`;
/** RFC 3339. */
const LEAVING = `${GROUP}/leaving-since`;

export type Manifest = Record<string, unknown>;

export type Step =
  /** `leaves`: it is in the answers, and shall not be. */
  | { type: 'apply'; name: string; manifest: Manifest; leaves: boolean }
  | { type: 'remove'; name: string; uid: string };

export interface NodeFault extends Fault {
  node: string;
  uid: string;
}

export interface ClusterMoment {
  nodes: readonly KubernetesNode[];
  pods: readonly EdgePod[];
  /** By name. */
  edgeNodes: ReadonlyMap<string, ApiObject>;
  config: WeirConfig;
  /** How long resolvers may still send clients to a node that has left. */
  lingerMs: number;
  now: number;
}

export interface Registrations {
  /** Those that leave come first. */
  steps: Step[];
  faults: NodeFault[];
  /** EdgeNodes that are left as they are, since too many of them are without a pod at once. */
  held: string[];
}

type AtPlace = Pick<Registrations, 'steps' | 'faults'>;

/** From so many on, more than half of them without a pod at once is taken for a mistake in `registration`. */
const HOLD_FROM = 5;

export function registrations(moment: ClusterMoment): Registrations {
  const pods = Map.groupBy(moment.pods, (pod) => nodeOf(pod) ?? '');
  const nodes = new Map(moment.nodes.map((node) => [node.metadata.name, node] as const));
  const registered = registeredNodes(moment.edgeNodes);
  const places = [...new Set([...nodes.keys(), ...registered.keys()])].sort();
  const held = vanished(registered, (place) => nodes.has(place) && !pods.has(place));
  const taken = new Map<string, string>();
  const results = places
    .filter((place) => !held.includes(place))
    .map((place) => atPlace(place, nodes.get(place), currentPod(pods.get(place) ?? []), taken, moment));
  return {
    steps: results.flatMap(({ steps }) => steps).sort((a, b) => urgency(a) - urgency(b)),
    faults: results.flatMap(({ faults }) => faults),
    held,
  };
}

const urgency = (step: Step) => (step.type === 'apply' ? (step.leaves ? 0 : 1) : 2);

/** Ours, by Kubernetes node. */
function registeredNodes(edgeNodes: ReadonlyMap<string, ApiObject>): Map<string, ApiObject> {
  const rows = [...edgeNodes.values()].flatMap((object) => {
    const place = object.metadata.annotations?.[NODE];
    return place === undefined ? [] : [[place, object] as const];
  });
  return new Map(rows);
}

/**
 * Pods that end are seen ending first. That most of them are not there any more, though their nodes are, is what a
 * wrong label or namespace in weir.yaml looks like: it must not empty the answers.
 */
function vanished(registered: ReadonlyMap<string, ApiObject>, isWithoutPod: (place: string) => boolean) {
  const gone = [...registered]
    .filter(([place, { metadata }]) => isWithoutPod(place) && metadata.annotations?.[LEAVING] === undefined)
    .map(([place]) => place);
  return registered.size >= HOLD_FROM && gone.length * 2 > registered.size ? gone : [];
}

const NOTHING: AtPlace = { steps: [], faults: [] };

function atPlace(
  place: string,
  node: KubernetesNode | undefined,
  pod: EdgePod | undefined,
  taken: Map<string, string>,
  moment: ClusterMoment,
): AtPlace {
  const name = edgeNodeName(place);
  const found = moment.edgeNodes.get(name);
  if (!pod && !found) return NOTHING;
  const owner = taken.get(name) ?? (found && (found.metadata.annotations?.[NODE] ?? ''));
  if (owner !== undefined && owner !== place) return node && pod ? nameTaken(node, name, owner) : NOTHING;
  taken.set(name, place);
  if (node && pod) return present(name, node, pod, found, moment);
  return found ? { steps: absent(name, found, moment), faults: [] } : NOTHING;
}

function nameTaken({ metadata }: KubernetesNode, name: string, owner: string): AtPlace {
  const message =
    owner === ''
      ? `the EdgeNode ${name} was made by somebody, and is left alone`
      : `the EdgeNode ${name} stands for node ${owner}`;
  const fault: Fault = { reason: 'NameTaken', path: 'metadata.name', value: metadata.name, message };
  return { steps: [], faults: [{ ...fault, node: metadata.name, uid: metadata.uid }] };
}

/** The node is there, and a pod of an edge on it or on its way. */
function present(
  name: string,
  node: KubernetesNode,
  pod: EdgePod,
  found: ApiObject | undefined,
  { config, now }: ClusterMoment,
): AtPlace {
  const before = specOf(found);
  const { spec, labels, faults } = edgeNodeForm(node, pod, config, before);
  const { metadata } = node;
  const told = faults.map((fault) => ({ ...fault, node: metadata.name, uid: metadata.uid }));
  if (!spec) return { steps: [], faults: told };
  const leaves = isLeaving(node) || isTerminating(pod);
  const wasUp = before?.schedulable === true && found?.metadata.annotations?.[POD] === pod.metadata.uid;
  const manifest = {
    apiVersion: API_VERSION,
    kind: edgeNode.kind,
    metadata: {
      name,
      ...(Object.keys(labels).length > 0 && { labels }),
      annotations: {
        [NODE]: metadata.name,
        [POD]: pod.metadata.uid,
        ...(leaves && { [LEAVING]: leavingSince(found, now) }),
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: metadata.name, uid: metadata.uid }],
    },
    spec: { ...spec, schedulable: !leaves && (wasUp || isReady(pod)) },
  };
  return { steps: unlessApplied(name, manifest, found), faults: told };
}

/** Its pod or its node is gone: it leaves as it was, and is removed when nobody can be sent there any more. */
function absent(name: string, found: ApiObject, { now, lingerMs }: ClusterMoment): Step[] {
  const since = leavingSince(found, now);
  if (now - Date.parse(since) >= lingerMs) {
    return [{ type: 'remove', name, uid: found.metadata.uid }];
  }
  const owned = ownedPart(found, FIELD_MANAGER) as { metadata?: Manifest; spec?: Manifest };
  const annotations = { ...Object(owned.metadata?.annotations), [LEAVING]: since };
  const manifest = {
    apiVersion: API_VERSION,
    kind: edgeNode.kind,
    metadata: { ...owned.metadata, name, annotations },
    spec: { ...owned.spec, schedulable: false },
  };
  return unlessApplied(name, manifest, found);
}

/** One that does not read began just now: better late than at once. */
function leavingSince(found: ApiObject | undefined, now: number): string {
  const since = found?.metadata.annotations?.[LEAVING] ?? '';
  return Number.isNaN(Date.parse(since)) ? new Date(now).toISOString() : since;
}

function specOf(found: ApiObject | undefined): EdgeNodeSpec | undefined {
  return edgeNode.spec.safeParse(found?.spec).data;
}

function unlessApplied(
  name: string,
  manifest: Manifest & { spec: { schedulable: boolean } },
  found: ApiObject | undefined,
): Step[] {
  const ours = withoutOthers(manifest, found, FIELD_MANAGER);
  if (found && isApplied(ours, found, FIELD_MANAGER)) return [];
  const leaves = !manifest.spec.schedulable && specOf(found)?.schedulable === true;
  return [{ type: 'apply', name, manifest: ours, leaves }];
}

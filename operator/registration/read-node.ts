/**
 * What a Kubernetes node says of its edge, in labels, annotations and addresses. Each field alone: one that is wrong is
 * a fault with path, value and what is allowed, and the others count. Pure.
 *
 *     label weir.dev/region, or topology.kubernetes.io/region by weir.yaml                      region
 *     label weir.dev/tier, weir.dev/weight                                                      tier, weight
 *     annotation weir.dev/addresses (a,b), else the pod's, else ExternalIP, else InternalIP     addresses
 *     annotation weir.dev/isps (4837,9929)                                                      isps
 *     annotation weir.dev/location (34.75,113.62)                                               location
 *     annotation weir.dev/bandwidth (10Gbps), weir.dev/connections (100000)                     capacity
 *     the pod's weir.dev/ports (http=80,https=443), else its hostPorts `http` or first, `https` ports
 */
import type { z } from 'zod';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import { type EdgeNodeSpec, edgeNode } from '../../contract/kinds/edge-node.ts';
import type { EdgePod, KubernetesNode } from './cluster-objects.ts';

export interface Fault {
  reason: 'InvalidLabel' | 'InvalidAnnotation' | 'UnknownRegion' | 'NoAddress' | 'NoHostPort' | 'NameTaken';
  /** `metadata.labels[weir.dev/weight]` */
  path: string;
  value?: string;
  /** What is allowed. */
  message: string;
}

/** A value; or what is wrong with it; or neither, where the node says nothing. */
export interface Reading<T> {
  value?: T | undefined;
  fault?: Fault;
}

const { shape } = edgeNode.spec;
const LABEL = { reason: 'InvalidLabel', path: 'metadata.labels' } as const;
const ANNOTATION = { reason: 'InvalidAnnotation', path: 'metadata.annotations' } as const;
const POD_ANNOTATION = { reason: 'InvalidAnnotation', path: 'pod: metadata.annotations' } as const;
export const REGION_LABEL = 'topology.kubernetes.io/region';
const OWN_REGION_LABEL = 'weir.dev/region';

/** What `text` means is checked as a manifest's field is. */
function read<T>(
  texts: Record<string, string> | undefined,
  place: typeof LABEL | typeof ANNOTATION | typeof POD_ANNOTATION,
  key: string,
  schema: z.ZodType<T>,
  parse: (text: string) => unknown,
): Reading<NonNullable<T>> {
  const text = texts?.[key];
  if (text === undefined) return {};
  const parsed = schema.safeParse(parse(text));
  if (parsed.success) return { value: parsed.data ?? undefined };
  const message = parsed.error.issues.map((issue) => issue.message).join('; ');
  return { fault: { reason: place.reason, path: `${place.path}[${key}]`, value: text, message } };
}

const asText = (text: string) => text;
/** What is no number stays a text, for the schema to refuse: Number('') is 0. */
const asNumber = (text: string) => (/^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text);
const asList = (text: string) => text.split(',').map((part) => part.trim());

export function readTier({ metadata: { labels } }: KubernetesNode) {
  return read(labels, LABEL, 'weir.dev/tier', shape.tier, asText);
}

export function readWeight({ metadata: { labels } }: KubernetesNode) {
  return read(labels, LABEL, 'weir.dev/weight', shape.weight, asNumber);
}

export function readIsps({ metadata: { annotations } }: KubernetesNode) {
  return read(annotations, ANNOTATION, 'weir.dev/isps', shape.isps, (text) => asList(text).map(asNumber));
}

export function readLocation({ metadata: { annotations } }: KubernetesNode) {
  return read(annotations, ANNOTATION, 'weir.dev/location', shape.location, (text) => {
    const [latitude, longitude, ...rest] = asList(text).map(asNumber);
    return rest.length === 0 ? { latitude, longitude } : text;
  });
}

const capacity = shape.capacity.unwrap().shape;

export function readBandwidth({ metadata: { annotations } }: KubernetesNode) {
  return read(annotations, ANNOTATION, 'weir.dev/bandwidth', capacity.bandwidth, asText);
}

export function readConnections({ metadata: { annotations } }: KubernetesNode) {
  return read(annotations, ANNOTATION, 'weir.dev/connections', capacity.connections, asNumber);
}

export function readAddresses({ metadata, status }: KubernetesNode, pod: EdgePod): Reading<string[]> {
  const key = 'weir.dev/addresses';
  const ofNode = read(metadata.annotations, ANNOTATION, key, shape.addresses, asList);
  if (ofNode.value || ofNode.fault) return ofNode;
  const ofPod = read(pod.metadata.annotations, POD_ANNOTATION, key, shape.addresses, asList);
  if (ofPod.value || ofPod.fault) return ofPod;
  const ofType = (wanted: string) =>
    (status.addresses ?? []).filter(({ type }) => type === wanted).map(({ address }) => address);
  const found = [ofType('ExternalIP'), ofType('InternalIP')].find((list) => list.length > 0);
  const parsed = shape.addresses.safeParse(found);
  if (parsed.success) return { value: parsed.data };
  const message = 'an ExternalIP or InternalIP in status.addresses, or the annotation weir.dev/addresses';
  return { fault: { reason: 'NoAddress', path: 'status.addresses', message } };
}

const asPorts = (text: string) =>
  Object.fromEntries(
    asList(text).map((part) => {
      const [name = '', number = ''] = part.split('=');
      return [name, asNumber(number)];
    }),
  );

/**
 * In host networking each port of the container is one of the host; the API server says so in hostPort. Pods behind a
 * load balancer have none, and say its ports.
 */
export function readPorts({ metadata, spec }: EdgePod): Reading<EdgeNodeSpec['ports']> {
  const given = read(metadata.annotations, POD_ANNOTATION, 'weir.dev/ports', shape.ports, asPorts);
  if (given.value || given.fault) return given;
  const ports = spec.containers
    .flatMap((container) => container.ports ?? [])
    .filter(({ hostPort, protocol }) => hostPort !== undefined && protocol === 'TCP');
  const http = ports.find(({ name }) => name === 'http') ?? ports.find(({ name }) => name === undefined);
  const https = ports.find(({ name }) => name === 'https');
  const parsed = shape.ports.safeParse({
    http: http?.hostPort,
    ...(https && { https: https.hostPort }),
  });
  if (http && parsed.success) return { value: parsed.data };
  const message = 'a container port called `http` with a hostPort, or the annotation weir.dev/ports';
  return { fault: { reason: 'NoHostPort', path: 'pod: spec.containers[].ports', message } };
}

/** Where weir.yaml has no regions an EdgeNode has none. */
export function readRegion(
  { metadata: { labels = {} } }: KubernetesNode,
  { regions, registration }: WeirConfig,
): Reading<string> {
  const names = regions.map(({ name }) => name);
  if (names.length === 0) return {};
  const key = labels[OWN_REGION_LABEL] === undefined ? REGION_LABEL : OWN_REGION_LABEL;
  const label = labels[key];
  const region = label !== undefined && key === REGION_LABEL ? registration?.regions[label] : undefined;
  const found = region ?? label;
  if (found !== undefined && names.includes(found)) return { value: found };
  const known = `one of the regions of weir.yaml (${names.join(', ')})`;
  return {
    fault: {
      reason: 'UnknownRegion',
      path: `metadata.labels[${key}]`,
      ...(label !== undefined && { value: label }),
      message:
        key === OWN_REGION_LABEL
          ? known
          : `${known}, or a row for it in registration.regions there; the label ${OWN_REGION_LABEL} wins`,
    },
  };
}

/**
 * What a command knows of a running installation and asks of it, wherever that is told: an operator and its state
 * folder (standalone.ts), or a Kubernetes API (kubernetes.ts).
 */
import type { KindName } from '../../contract/kinds/kind.ts';
import type { ResourceView, RoutingView } from '../../contract/stream/operator-api.ts';
import type { GeoFileChoice } from '../../dns-server/explain-domain.ts';
import type { PurgeManifest } from '../purge/job.ts';
import type { Busyness } from '../top/busyness.ts';

export interface Installation {
  /** The namespace that the command line asks for; all of them where there is none. Nodes belong to no namespace. */
  readonly namespace: string | undefined;
  /** All resources, or those of one kind; in `namespace` instead of the installation's own where one is given. */
  resources(kind?: KindName, namespace?: string): Promise<ResourceView[]>;
  /** Hands a PurgeJob over: it is durable when this resolves. */
  submit(job: PurgeManifest): Promise<void>;
  /** A PurgeJob as it fares now, for who asks again and again; nothing while nobody took it up. */
  job(namespace: string, name: string): Promise<ResourceView<'PurgeJob'> | undefined>;
  /** What is answered from. */
  routing(): Promise<RoutingView>;
  geoFiles(): Promise<GeoFileChoice>;
  /** How busy edges and domains are. */
  busyness(): Promise<Busyness>;
  close(): Promise<void>;
}

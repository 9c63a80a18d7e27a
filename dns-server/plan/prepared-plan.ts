/**
 * What a published plan is prepared into: everything that a query looks up, by the key that it looks it up with.
 * Built aside and checked whole, then swapped in by one assignment; never changed afterwards.
 *
 *     question's name ──names──> NameEntry ──domain──> PreparedDomain ──tiersOf(region)──> nodes
 *                     ──zones──> PreparedZone (for names that do not exist)
 */
import type { PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type {
  Location,
  RoutingDomain,
  RoutingNode,
  RoutingZone,
  Tier,
} from '../../contract/plans/routing-plan.ts';
import type { RegionTable } from '../geo/region-table.ts';
import type { PreparedAddress } from './prepared-address.ts';
import type { PreparedSets } from './prepared-sets.ts';
import type { RecordSets } from './record-sets.ts';

export interface PreparedNode {
  spec: RoutingNode;
  addresses: PreparedAddress[];
  /** The node's own part of every rendezvous hash. */
  seed: number;
}

export interface PreparedTier {
  by: Tier['by'];
  name: string;
  nodes: PreparedNode[];
  /** Of a site. */
  location?: Location | undefined;
}

/** A candidate set, shared by the domains that have the same one. */
export interface PreparedSet {
  tiersOf: Map<string, PreparedTier[]>;
  /** All nodes of the set, each once. */
  nodes: PreparedNode[];
  /** Whether two clients can get different answers: not when one node answers all regions, or none any. */
  dividesClients: boolean;
  /** AS numbers that its nodes name: clients of others are all alike to it. */
  isps: ReadonlySet<number>;
}

/** Clients whose hash lies in [start, end), of 0 to 1, go to its set: the shift's own tiers, then the domain's. */
export interface PreparedShift {
  set: PreparedSet;
  start: number;
  end: number;
  from: number;
  until: number;
}

export interface PreparedDomain {
  spec: RoutingDomain;
  /** `demo/video`: how people and metrics call it. */
  label: string;
  zone: PreparedZone;
  set: PreparedSet;
  shifts: PreparedShift[];
  /** The domain's own part of the hash by which shifts divide clients. */
  seed: number;
  /** The revision from which on a node serves it; without one no node does yet. */
  since: Revision | undefined;
}

export interface PreparedZone {
  spec: RoutingZone;
  /** Its name, see wire/name.ts; as long as the name is on the wire. */
  key: string;
  nameServers: { data: Uint8Array; glue: PreparedAddress[]; key: string }[];
  /** What the zone above says of this one, where that is ours too: DS is asked there. */
  atParent: NameEntry | undefined;
}

/** What stands at one name of a zone. A name with nothing at it is there because of longer ones (RFC 4592 2.2.2). */
export interface NameEntry {
  key: string;
  zone: PreparedZone;
  apex: boolean;
  /** By type, what is the same for every client. */
  sets: RecordSets;
  /** Whose addresses are chosen for each client. */
  domain: PreparedDomain | undefined;
  /** The delegation at or above it (RFC 1034 4.3.2 3b). */
  cut: NameEntry | undefined;
  /** The DNAME above it (RFC 6672 3.2). */
  dname: NameEntry | undefined;
}

/** The names of the zones, and what it takes to change some of them (change-names.ts). */
export interface Names {
  names: Map<string, NameEntry>;
  /** How many names stand right below a name, where there are some: it exists as long as they do. */
  below: Map<string, number>;
  /** Names that more than one domain claims, or a domain and records that gave way to it. */
  contested: Set<string>;
}

export interface PreparedPlan extends Names {
  published: PublishedRoutingPlan;
  zones: Map<string, PreparedZone>;
  sets: PreparedSets;
  domains: PreparedDomain[];
  nodes: PreparedNode[];
  regions: RegionTable;
  /** Its own: by it others know that they were prepared from this one, without holding it and all before it. */
  mark: symbol;
  /** Where it was prepared from another one: at which names another domain may stand, or none any more. */
  changed: { since: symbol; names: readonly string[] } | undefined;
}

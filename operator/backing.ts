/** What the operator stands on: where manifests come from, and where goes what must survive it. */
import type { WeirConfig } from '../contract/config/weir-config.ts';
import type { ObjectRef } from '../contract/kinds/metadata.ts';
import type { RoutingPlan } from '../contract/plans/routing-plan.ts';
import type { WriteCopy } from './acme/copies.ts';
import type { Stores } from './outbox.ts';
import type { AgentSecrets } from './secrets/agent-secrets.ts';
import type { Source } from './source/source.ts';
import type { Announcement } from './status/announcements.ts';
import type { ReviewToken } from './trust/token-review.ts';
import type { TrustStores } from './trust/trust.ts';

export interface Backing {
  source: Source;
  stores: Stores;
  secrets: AgentSecrets;
  /** Where copies of ordered certificates go. */
  writeCopy: WriteCopy;
  trust: TrustStores;
  /** Where ServiceAccount tokens can be asked about. */
  reviewToken?: ReviewToken;
  /** Puts the operator’s CAs (PEM) where the pods of agents find them. */
  tellAuthorities?(pem: string): void;
  /** Removes a finished job that outlived its time; with `uid` no other of its name. */
  expire(ref: ObjectRef, uid: string): void;
  /** Tells people what concerns no resource in particular. */
  announce?(news: Announcement): void;
  /** What only the leader sees to there: EdgeNodes of Kubernetes nodes, forms that were deleted. Ends by what it returns. */
  lead?(inForce: InForce): () => Promise<void>;
  /** Where one of several replicas leads. */
  election?: Election;
  /** For when nothing is written any more. */
  stop(): Promise<void>;
}

/** What was admitted and published last; nothing before the first time. */
export interface InForce {
  config: () => WeirConfig | undefined;
  plan: () => RoutingPlan | undefined;
}

export interface Election {
  /** Resolves when this replica leads. */
  led: Promise<void>;
  /** Resolves when another does after this one did. */
  lost: Promise<Error>;
  /** Who leads, as far as it is known, and the URL where agents reach it. */
  leader(): { holder: string; address: string | undefined };
  /** Whether that is this replica, for certain. */
  leads(): boolean;
}

/**
 * What the edge's main process and its workers say to each other. A message with a number is answered, with the same
 * number, when it is done.
 */
import type { EdgeDomain, EdgePlan } from '../../contract/plans/edge-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { UsageRow } from '../../contract/stream/usage.ts';
import type { PurgeScope } from '../cache/purge-scope.ts';
import type { Hiding } from '../cache/purges.ts';
import type { FolderChange } from '../cache/shared-folder.ts';
import type { ServingAddress } from '../listen/listeners.ts';
import type { EdgeOptions } from '../options.ts';
import type { CertificateChanges } from '../tls/certificates.ts';
import type { TicketKey } from '../tls/ticket-key.ts';

/** What a worker serves: the plan in force, and the domains that linger. */
export interface Contents {
  revision: Revision;
  domains: readonly EdgeDomain[];
  lingering: readonly EdgeDomain[];
  /** Of ACME. */
  challenges: EdgePlan['challenges'];
}

export type ToWorker = { number: number } /** First of all. */ & (
  | {
      type: 'start';
      options: EdgeOptions;
      listen: ServingAddress[];
      mark: string;
      health: string | undefined;
      contents?: Contents;
      certificates: CertificateChanges;
      ticketKey: TicketKey;
    }
  | { type: 'certificates'; changes: CertificateChanges }
  | { type: 'ticketKey'; key: TicketKey }
  | { type: 'prepare'; contents: Contents }
  | { type: 'commit' }
  /** A purge: from the answer on, nothing that it covers is used or stored; until `lift`. */
  | { type: 'hide'; purge: number; scopes: readonly PurgeScope[]; hiding: Hiding }
  | { type: 'lift'; purge: number }
  | { type: 'revalidate'; below: number }
  | { type: 'changed'; change: Omit<FolderChange, 'filling'> }
  | { type: 'health'; reason: string | undefined }
  | { type: 'figures' }
  | { type: 'stop' }
);

/** What a worker knows that is told for all of them together. */
export interface Figures {
  /** As prom-client gives them. */
  metrics: object[];
  connections: number;
  /** How long its thread was busy, and not, since it began; in milliseconds. */
  loop: { idle: number; active: number; utilization: number };
}

export type FromWorker =
  | { type: 'answer'; number: number; value?: unknown }
  | { type: 'failed'; number: number; message: string }
  | { type: 'changed'; change: FolderChange }
  | { type: 'usage'; rows: UsageRow[] }
  /** An unsafe method made these invalid (RFC 9111 4.4). */
  | { type: 'invalidate'; scopes: readonly PurgeScope[]; purge: number };

/** What is out: the plans and the node table, in the numbers of one epoch. Publication (publication.ts) decides them. */
import { randomUUID } from 'node:crypto';
import type { NodeRow, NodeTable } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import { formatRevision, type Revision } from '../../contract/plans/revision.ts';
import type { Role } from '../../contract/stream/messages.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Compiled } from '../compile/compile.ts';
import { DuePlan } from './due-plan.ts';
import {
  type Acquaintance,
  isForeign,
  type Publication,
  publish,
  raiseEpoch,
  startPublication,
} from './publication.ts';

interface PublishingOptions {
  outbox: { plan(role: Role, plan: PublishedPlan): void; table(table: NodeTable): void };
  epoch: number;
  /** `since` of domains as an earlier leader wrote it down. */
  restored: ReadonlyMap<string, Revision>;
  clock: Clock;
  log: Log;
}

export class Publishing {
  readonly #options: PublishingOptions;
  #publication: Publication;
  #table: NodeTable;
  /** Which edge plan nodes have had time to take. */
  readonly due = new DuePlan();

  constructor(options: PublishingOptions) {
    const { epoch, restored } = options;
    this.#options = options;
    this.#publication = startPublication(epoch, restored, randomUUID());
    this.#table = { version: { epoch, seq: 0 }, rows: [] };
  }

  get publication(): Publication {
    return this.#publication;
  }

  get epoch(): number {
    return this.#publication.epoch;
  }

  get table(): NodeTable {
    return this.#table;
  }

  plan(role: Role): PublishedPlan | undefined {
    return role === 'edge' ? this.#publication.edge : this.#publication.routing;
  }

  isForeign(agent: Acquaintance): boolean {
    return isForeign(this.#publication, agent);
  }

  /** The plans that are made of it: what goes out when they are handed to `send`. */
  next(compiled: Compiled): Publication {
    return publish(this.#publication, compiled);
  }

  rise(epoch: number): void {
    this.send(raiseEpoch(this.#publication, epoch));
  }

  /** `took`: milliseconds of what led to it. */
  send(next: Publication, took: Record<string, number> = {}): void {
    const { edge, routing } = this.#publication;
    this.#publication = next;
    if (next.edge && next.edge !== edge) {
      this.due.published(next.edge.revision, this.#options.clock.now());
      this.#sendPlan('edge', next.edge, took);
    }
    if (next.routing && next.routing !== routing) this.#sendPlan('dns-server', next.routing, took);
  }

  sendTable(rows: readonly NodeRow[], voters: readonly string[]): void {
    const { epoch } = this;
    const seq = this.#table.version.epoch === epoch ? this.#table.version.seq + 1 : 1;
    this.#table = { version: { epoch, seq }, rows: [...rows], voters: [...voters] };
    this.#options.outbox.table(this.#table);
  }

  #sendPlan(role: Role, plan: PublishedPlan, took: Record<string, number>): void {
    const { outbox, log } = this.#options;
    log.info(
      { role, revision: formatRevision(plan.revision), digest: plan.digest.slice(0, 12), took },
      'plan published',
    );
    outbox.plan(role, plan);
  }
}

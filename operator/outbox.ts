/** What the reconciler (reconcile.ts) gives out, and where it keeps what must survive: interfaces, and no more. */
import type { ObjectRef } from '../contract/kinds/metadata.ts';
import type { NodeTable } from '../contract/plans/node-table.ts';
import type { PublishedPlan } from '../contract/plans/published-plan.ts';
import type { Command, Role } from '../contract/stream/messages.ts';
import type { Vault } from './certificates/vault.ts';
import type { EpochStore } from './publish/epoch-file.ts';
import type { AcceptedStore } from './source/folder/accepted-files.ts';
import type { StatusStore } from './status/status-files.ts';

/** Where results go. Nothing comes back from here. */
export interface Outbox {
  plan(role: Role, plan: PublishedPlan): void;
  table(table: NodeTable): void;
  command(node: string, command: Command): void;
  /** The node's EdgeNode is gone. */
  dismiss(node: string): void;
  /** A finished job has outlived its time. */
  expire(ref: ObjectRef, uid: string): void;
}

export interface Stores {
  accepted: AcceptedStore;
  status: StatusStore;
  epoch: EpochStore;
  vault: Vault;
}

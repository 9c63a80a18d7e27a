/**
 * The certificates of the edges whose streams this replica holds: who has which, from the plans and the vault. Edges keep
 * what goes for as long as they serve a domain on that was withdrawn (`linger`).
 */
import type { PublishedEdgePlan, PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import { isComplete, type SecretsByName, secretNamesByNode, secretsByNode } from './edge-secrets.ts';
import { NO_SECRETS, type SecretSet } from './secret-lines.ts';

export class EdgeCertificates {
  #edge: PublishedEdgePlan | undefined;
  #routing: PublishedRoutingPlan | undefined;
  #values: SecretsByName | undefined;
  #sets: ReadonlyMap<string, SecretSet> = new Map();

  plan(plan: PublishedEdgePlan): void {
    this.#edge = plan;
    this.#settle();
  }

  routing(plan: PublishedRoutingPlan): void {
    this.#routing = plan;
    this.#settle();
  }

  values(values: SecretsByName): void {
    this.#values = values;
    this.#settle();
  }

  /** Nothing before plans and vault were read: an edge that comes back by then must not lose what it serves by. */
  setFor(node: string): SecretSet | undefined {
    if (!this.#edge || !this.#routing || !this.#values) return undefined;
    return this.#sets.get(node) ?? NO_SECRETS;
  }

  /** Whether all is here that the newest plan names. */
  isComplete(): boolean {
    return !this.#edge || isComplete(this.#edge.plan, this.#routing?.plan, this.#values ?? new Map());
  }

  #settle(): void {
    if (!this.#edge || !this.#routing || !this.#values) return;
    this.#sets = secretsByNode(secretNamesByNode(this.#edge.plan, this.#routing.plan), this.#values);
  }
}

/**
 * The certificates of the edges whose streams this replica holds: who has which, from the plans and the vault. One that
 * leaves the plans stays for a while, since edges serve a domain on after it was withdrawn (`linger`).
 */
import type { PublishedEdgePlan, PublishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import type { AgentSecret } from '../../contract/stream/agent-secret.ts';
import { isComplete, type SecretsByName, secretNamesByNode, secretsByNode } from './edge-secrets.ts';
import { NO_SECRETS, type SecretSet } from './secret-lines.ts';

interface Leaving {
  names: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  until: number;
}

export class EdgeCertificates {
  #edge: PublishedEdgePlan | undefined;
  #routing: PublishedRoutingPlan | undefined;
  #values: SecretsByName | undefined;
  /** By node, as the plans have it. */
  #names: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** By node, what the plans had before. */
  #leaving = new Map<string, Leaving[]>();
  /** Values that are gone from the vault, for who still has to have them. */
  #lastValues = new Map<string, AgentSecret>();
  #sets: ReadonlyMap<string, SecretSet> = new Map();

  plan(plan: PublishedEdgePlan, now: number): void {
    this.#edge = plan;
    this.#settle(now);
  }

  routing(plan: PublishedRoutingPlan, now: number): void {
    this.#routing = plan;
    this.#settle(now);
  }

  values(values: SecretsByName, now: number): void {
    this.#values = values;
    for (const [name, secret] of values) this.#lastValues.set(name, secret);
    this.#settle(now);
  }

  /** Takes away what has stayed long enough. True where something went. */
  expire(now: number): boolean {
    if (![...this.#leaving.values()].some((rows) => rows.some(({ until }) => until <= now))) return false;
    this.#settle(now);
    return true;
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

  #settle(now: number): void {
    if (!this.#edge || !this.#routing) return;
    const before = this.#names;
    this.#names = secretNamesByNode(this.#edge.plan, this.#routing.plan);
    const until = now + this.#lingerMs();
    const leaving = new Map<string, Leaving[]>();
    for (const node of new Set([...before.keys(), ...this.#leaving.keys()])) {
      const rows = (this.#leaving.get(node) ?? []).filter((row) => row.until > now);
      const gone = [...(before.get(node) ?? [])].filter((name) => !this.#names.get(node)?.has(name));
      if (gone.length > 0) rows.push({ names: new Set(gone), until });
      if (rows.length > 0) leaving.set(node, rows);
    }
    this.#leaving = leaving;
    this.#sets = secretsByNode(this.#withLeaving(), this.#valuesKept());
  }

  #withLeaving(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.#leaving.size === 0) return this.#names;
    const all = new Map(this.#names);
    for (const [node, rows] of this.#leaving) {
      all.set(node, new Set([...(all.get(node) ?? []), ...rows.flatMap(({ names }) => [...names])]));
    }
    return all;
  }

  #valuesKept(): SecretsByName {
    const leaving = new Set([...this.#leaving.values()].flat().flatMap(({ names }) => [...names]));
    for (const name of this.#lastValues.keys())
      if (!this.#values?.has(name) && !leaving.has(name)) this.#lastValues.delete(name);
    return this.#lastValues;
  }

  /** The longest of the domains', told by those that are there: one that left is hardly of another kind. */
  #lingerMs(): number {
    const domains = this.#edge?.plan.domains ?? [];
    return domains.reduce((most, { linger }) => Math.max(most, linger * 1_000), MIN_LINGER_MS);
  }
}

const MIN_LINGER_MS = 3_600_000;

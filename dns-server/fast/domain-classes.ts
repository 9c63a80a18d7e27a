/** Classes of domains that get the same answers, as far as a plan tells. Pure but for what it holds. */
import { compareRevisions } from '../../contract/plans/revision.ts';
import type { PreparedDomain, PreparedSet, PreparedZone } from '../plan/prepared-plan.ts';

/** With those that are in the plan for the longest and for the shortest time; of those that left, too. */
export interface DomainClass {
  oldest: PreparedDomain;
  newest: PreparedDomain;
  /** The zone of its names is one that should be signed. */
  signed: boolean;
}

/** What nobody is in any more is thrown away with all others, when there are so many times as many as at first. */
const MAX_GROWTH = 2;
const FEW = 1_000;

export class DomainClasses {
  /** By number. */
  readonly list: DomainClass[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #sets = new Map<PreparedSet, number>();
  /** How many there were when the first plan was complete. */
  #atFirst: number | undefined;

  /** The number of the domain's class at a name of this zone: a hostname may lie in another than the target does. */
  add(domain: PreparedDomain, zone: PreparedZone): number {
    const id = this.#idOf(domain, zone);
    const number = this.#numbers.get(id) ?? this.list.push(newClass(domain, zone)) - 1;
    this.#numbers.set(id, number);
    const known = this.list[number];
    if (known && isBefore(domain, known.oldest)) known.oldest = domain;
    if (known && isBefore(known.newest, domain)) known.newest = domain;
    return number;
  }

  /** Asked before each change. */
  isOvergrown(): boolean {
    this.#atFirst ??= this.list.length;
    return this.list.length > FEW + MAX_GROWTH * this.#atFirst;
  }

  #idOf({ set, shifts, since, spec }: PreparedDomain, zone: PreparedZone): string {
    const { policy, ttl, minTtl, answers, uid } = spec;
    const own = shifts.length > 0 || since === undefined ? uid : '';
    const number = this.#sets.get(set) ?? this.#sets.size;
    this.#sets.set(set, number);
    return `${number} ${policy} ${ttl} ${minTtl} ${answers} ${zone.key} ${own}`;
  }
}

function newClass(domain: PreparedDomain, { spec }: PreparedZone): DomainClass {
  return { oldest: domain, newest: domain, signed: spec.dnssec };
}

function isBefore(a: PreparedDomain, b: PreparedDomain): boolean {
  return a.since !== undefined && b.since !== undefined && compareRevisions(a.since, b.since) < 0;
}

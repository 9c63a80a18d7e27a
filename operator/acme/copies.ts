/**
 * Copies of ordered certificates for whoever else has use for them (`acme.secretName`): a Secret of the tenant, or files.
 * Written when a certificate is another, and now and then again: nothing of a tenant's is read. What the edges serve with
 * is in the vault, and no copy that fails keeps it from them.
 */
import type { Certificate } from '../../contract/kinds/kinds.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import type { Pair } from '../certificates/pair.ts';

/** One that somebody deleted comes back after this time. */
const ANEW_MS = 3_600_000;
/** Somebody may be about to grant the right. */
const AGAIN_MS = 10_000;

export interface CopyFault {
  reason: string;
  message: string;
}

/** Why a copy can't be written that somebody has to mend. */
export class CopyRefused extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface Copy {
  /** It goes with this one. */
  owner: Certificate;
  secretName: string;
  /** PEM, as Secrets of type kubernetes.io/tls have them. */
  chain: string;
  key: string;
}

/** Resolves when it is durable. */
export type WriteCopy = (copy: Copy) => Promise<void>;

interface Row {
  /** What was tried last: of which certificate, under which name. */
  of: string;
  isWriting: boolean;
  due: number;
  fault: CopyFault | undefined;
}

export class Copies {
  readonly #write: WriteCopy;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By `namespace/secretName`. */
  readonly #rows = new Map<string, Row>();
  readonly #owners = new Map<string, string>();

  constructor(write: WriteCopy, clock: Clock, log: Log) {
    this.#write = write;
    this.#clock = clock;
    this.#log = log;
  }

  /** At each look: writes what is due, and says what is wrong with the copy that the Certificate wants. */
  keep(owner: Certificate, pair: Pair): CopyFault | undefined {
    const { namespace, uid, name } = owner.metadata;
    const { secretName } = owner.spec.acme ?? {};
    if (secretName === undefined) return undefined;
    const key = `${namespace}/${secretName}`;
    const first = this.#owners.get(key) ?? uid;
    this.#owners.set(key, first);
    if (first !== uid)
      return {
        reason: 'SecretTaken',
        message: `another Certificate of ${namespace} has secretName ${secretName} as well: give ${name} one of its own`,
      };
    const of = `${uid} ${pair.digest}`;
    const known = this.#rows.get(key);
    const isDue = known?.of !== of || this.#clock.now() >= known.due;
    if (known?.isWriting || !isDue) return known?.fault;
    const row: Row = { of, isWriting: true, due: 0, fault: known?.of === of ? known.fault : undefined };
    this.#rows.set(key, row);
    void this.#carryOut(row, { owner, secretName, ...textsOf(pair) });
    return row.fault;
  }

  /** Those of Certificates that are gone, or want none any more. */
  forget(wanted: Iterable<Certificate>): void {
    const uids = new Map([...wanted].map(({ metadata, spec }) => [metadata.uid, spec.acme?.secretName]));
    for (const [key, uid] of this.#owners) {
      if (uids.get(uid) === key.slice(key.indexOf('/') + 1)) continue;
      this.#owners.delete(key);
      this.#rows.delete(key);
    }
  }

  async #carryOut(row: Row, copy: Copy): Promise<void> {
    try {
      await this.#write(copy);
      row.fault = undefined;
      row.due = this.#clock.now() + ANEW_MS;
    } catch (error) {
      const reason = error instanceof CopyRefused ? error.reason : 'SecretNotWritten';
      const fault = { reason, message: messageOf(error) };
      if (row.fault?.message !== fault.message)
        this.#log.warn({ reason, secretName: copy.secretName }, fault.message);
      row.fault = fault;
      row.due = this.#clock.now() + AGAIN_MS;
    }
    row.isWriting = false;
  }
}

const textsOf = ({ value }: Pair) => JSON.parse(value) as { chain: string; key: string };

/**
 * Reports on their way to the operator. A report stays queued until the operator took it; an ack or a health view that
 * a newer one replaced is dropped.
 */
import type { Dispatcher } from 'undici';
import {
  CONTRACT_VERSIONS,
  type ContractVersion,
  OLDEST_CONTRACT,
  REPORTS_PATH,
  type Report,
  type Reports,
} from '../contract/stream/messages.ts';
import { reportFor } from '../contract/stream/versions.ts';
import { refusalOf } from './credential/request.ts';
import type { Whereabouts } from './whereabouts.ts';

/** Small enough for one request, large enough that a thousand `done` go in one. */
const BATCH = 1_000;

/** Not understood, or too large. */
const NEVER_TAKEN: ReadonlySet<number> = new Set([400, 413]);

/** These tell all that there is to tell. */
const WHOLE: ReadonlySet<Report['type']> = new Set(['health', 'load', 'usage']);

/** The queue after one more report: pure. Verdicts on plans, and what tells all, replace their elder; the rest adds up. */
export function enqueue(queue: readonly Report[], report: Report): Report[] {
  const verdict = (type: Report['type']) => type === 'ack' || type === 'nack' || type === 'unmatched';
  const replaced = (older: Report) =>
    (verdict(older.type) && verdict(report.type)) || (older.type === report.type && WHOLE.has(report.type));
  return [...queue.filter((older) => !replaced(older)), report];
}

export interface Reporter {
  add(report: Report): void;
  /** The contract that the operator chose. Before it did, nothing is said that an older one would not understand. */
  speak(contract: number): void;
  /** Sends all that is queued; rejects when the operator does not take it, and keeps it. */
  flush(): Promise<void>;
}

interface ReporterOptions {
  identity: Pick<Reports, 'role' | 'node'>;
  operator: Whereabouts;
  line: () => Promise<Dispatcher>;
  signal: AbortSignal;
}

export function reporter({ identity, operator, line, signal }: ReporterOptions): Reporter {
  let queue: Report[] = [];
  let sending: Promise<void> = Promise.resolve();
  let spoken: ContractVersion = OLDEST_CONTRACT;

  const send = async () => {
    while (queue.length > 0) {
      const batch = queue.slice(0, BATCH);
      const understood = batch.flatMap((report) => reportFor(spoken, report) ?? []);
      const refusal = await post({ ...identity, reports: understood });
      queue = queue.filter((report) => !batch.includes(report));
      if (refusal !== undefined) throw new Error(`reports are lost: ${refusal}`);
    }
  };

  /** Throws when it should be tried again; returns the operator's words when it never will take these. */
  const post = async (body: Reports): Promise<string | undefined> => {
    const response = await operator.ask(REPORTS_PATH, {
      method: 'POST',
      dispatcher: await line(),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      headersTimeout: 10_000,
      signal,
    });
    if (response.statusCode === 204) {
      await response.body.dump();
      return undefined;
    }
    const refusal = await refusalOf('reports', response);
    // An older operator may not know a report of ours. Held on to, it would keep us from connecting for ever; without
    // it, the operator sends the command or plan again.
    if (NEVER_TAKEN.has(response.statusCode)) return refusal.message;
    throw refusal;
  };

  return {
    add(report) {
      queue = enqueue(queue, report);
    },
    speak(contract) {
      spoken = CONTRACT_VERSIONS.find((version) => version === contract) ?? OLDEST_CONTRACT;
    },
    // One after the other, so that two flushes never send one report twice.
    flush() {
      sending = sending.then(send, send);
      return sending;
    },
  };
}

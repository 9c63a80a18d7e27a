/** Reads a stream on and on, and notices what is missing of each writer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Entry, type RelayStore, START, type StreamName } from './store.ts';

const RETRY_MS = 500;

interface ReaderOptions {
  store: RelayStore;
  stream: StreamName;
  /** Where to begin: behind what is there now, or with all of it. */
  from: 'now' | 'start';
  /** One batch after the other. */
  take: (message: unknown) => Promise<void>;
  /** All up to this entry was taken. */
  onTaken?: (id: string) => void;
  /** Redis answers, at first or again. */
  onAnswer: () => void;
  onFailure: (error: Error) => void;
}

/** Returns what stops it. */
export function follow(options: ReaderOptions): () => void {
  const stopping = new AbortController();
  void readOn(options, stopping.signal);
  return () => stopping.abort();
}

async function readOn(options: ReaderOptions, stopping: AbortSignal): Promise<void> {
  const { store, stream, from, take, onTaken, onAnswer, onFailure } = options;
  let cursor = from === 'now' ? undefined : START;
  let answers = false;
  while (!stopping.aborted) {
    try {
      cursor ??= await store.last(stream);
      const entries: Entry[] = await store.read(stream, cursor, answers);
      if (!answers) onAnswer();
      answers = true;
      for (const { id, message } of entries) {
        if (stopping.aborted) return;
        cursor = id;
        await take(message);
      }
      onTaken?.(cursor);
      // A Redis that lost its data, or has another clock, counts on from below: nothing would ever come after ours.
      if (entries.length === 0 && isBefore(await store.last(stream), cursor)) cursor = START;
    } catch (error) {
      if (stopping.aborted) return;
      answers = false;
      onFailure(error instanceof Error ? error : new Error(String(error)));
      await sleep(RETRY_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
}

/** Ids are `milliseconds-count`. */
function isBefore(a: string, b: string): boolean {
  const [aTime = 0, aCount = 0] = a.split('-').map(Number);
  const [bTime = 0, bCount = 0] = b.split('-').map(Number);
  return aTime < bTime || (aTime === bTime && aCount < bCount);
}

/** What one writer's messages are numbered up to. */
export class Sequence {
  #term = '';
  #n = 0;

  /** `known`: it came before. `joined`: the first that we hear of this term. `missed`: there was something before it. */
  next({ term, n }: { term: string; n: number }): 'inOrder' | 'known' | 'joined' | 'missed' {
    const sameTerm = term === this.#term;
    if (sameTerm && n <= this.#n) return 'known';
    const inOrder = sameTerm && n === this.#n + 1;
    this.#term = term;
    this.#n = n;
    if (!sameTerm) return 'joined';
    return inOrder ? 'inOrder' : 'missed';
  }
}

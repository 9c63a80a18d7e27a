/** Of a request: the signal that its client has gone, made for the few who ask for it. */
import type { Writable } from 'node:stream';

/** The answer's stream closes with its connection, or when it is out. */
export function goneSignal(answer: Writable): () => AbortSignal {
  let gone: AbortController | undefined;
  return () => {
    if (gone === undefined) {
      const controller = new AbortController();
      gone = controller;
      if (answer.destroyed) controller.abort();
      else answer.once('close', () => controller.abort());
    }
    return gone.signal;
  };
}

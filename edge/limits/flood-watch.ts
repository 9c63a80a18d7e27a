/**
 * Frames of HTTP/2 that cost us an answer and their sender nothing (RFC 9113 10.5): PING, SETTINGS, PRIORITY. Counted by
 * connection; who sends too many of them within a window is cut off. What nghttp2 limits by itself (streams that are
 * opened and reset, CONTINUATION, frames that break the rules, answers that nobody reads) is not looked at here.
 */

/** Once in a while a browser asks whether the connection is alive; a load test measures times with a few. */
const MOST_FRAMES = 100;
const WINDOW_MS = 10_000;

export interface FloodWatch {
  /** One more; false where it is one too many. */
  note(): boolean;
}

export function createFloodWatch(now: () => number, most = MOST_FRAMES): FloodWatch {
  let count = 0;
  let begin = now();
  return {
    note() {
      const at = now();
      if (at - begin >= WINDOW_MS) {
        begin = at;
        count = 0;
      }
      return ++count <= most;
    },
  };
}

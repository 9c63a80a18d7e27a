/**
 * How V8 collects garbage in an edge.
 *
 * Bodies are memory outside of its heap. V8 begins to collect whenever 64 MB of that came since it last did, however
 * much there is that stays: an edge whose memory tier turned over collected three times a second, at a quarter of the
 * CPU of a miss. With this what lies outside counts with the heap, and may grow by a share of both in between.
 *
 * An edge is one thread, or a worker for each core. Of its young objects hardly any outlive a request: V8 wakes up to
 * four helpers for what one thread does in a millisecond, and they take the core from it, a tenth of the CPU of a hit. Of those
 * that mark old ones one is left: four on the core of the thread that serves had misses wait for 170 ms once a second,
 * and with one it is 110.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--external-memory-accounted-in-global-limit');
// A seventh: the usual three tenths are 200 MB of garbage beside a memory tier of 512 MiB.
setFlagsFromString('--external-memory-max-growing-factor=1.15');
setFlagsFromString('--no-parallel-scavenge');
setFlagsFromString('--concurrent-marking-max-worker-num=1');

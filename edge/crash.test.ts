/**
 * `kill -9` in the middle of writes, again and again: what the edge serves afterwards is what the origin sent, byte for
 * byte, from its disk or fetched again.
 *
 *     WEIR_TEST_CRASHES=200 WEIR_TEST_SEED=7 npx vitest run edge/crash.test.ts
 */
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeProcess, edgeProcess } from './testing/edge-process.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { fetchFrom } from './testing/test-edge.ts';

const CRASHES = Number(process.env.WEIR_TEST_CRASHES ?? 6);
const SEED = Number(process.env.WEIR_TEST_SEED ?? 20_261_122);
/** For one round: a start, some writes, and all that was stored before. */
const ROUND_MS = 30_000;

const host = 'video.example.com';
/** Around one block, several blocks, and more than waits in memory to be written. */
const SIZES = [10, 1_000, 262_143, 262_144, 262_145, 900_000, 3_000_000];
const WRITERS = 6;
/** Paths that are looked at after each crash; more would only repeat. */
const REMEMBERED = 30;

let origin: ScriptOrigin;
let edge: EdgeProcess;

const bodyOf = (path: string) => Buffer.alloc(Number(path.split('/').at(-1)), `${path} `);

beforeEach(async () => {
  origin = await startScriptOrigin((request, response) => {
    const body = bodyOf(request.url ?? '');
    const headers = { 'cache-control': 'max-age=86400', 'content-length': String(body.length) };
    response.writeHead(200, headers);
    // In pieces, so that a kill finds bodies half written.
    for (let at = 0; at < body.length; at += 100_000) response.write(body.subarray(at, at + 100_000));
    response.end();
  });
});

afterEach(async () => {
  await edge.remove();
  await origin.stop();
}, ROUND_MS * 2);

describe.each([1, 2])('with %i workers', (workers) => {
  beforeEach(async () => {
    const settings = JSON.stringify({ edge: { workers } });
    edge = await edgeProcess(origin.url, { disk: '200MiB', settings });
  }, ROUND_MS * 3);

  test(
    `after ${CRASHES} crashes (seed ${SEED}), every object is byte-exact or fetched again`,
    async () => {
      const random = generator(SEED);
      const paths: string[] = [];
      const found = { hits: 0, fetched: 0, damaged: 0 };
      for (let crash = 0; crash < CRASHES; crash++) {
        const next = () => {
          const path = `/${crash}-${paths.length}/${SIZES[Math.floor(random() * SIZES.length)] ?? 0}`;
          paths.push(path);
          return path;
        };
        const writing = Array.from({ length: WRITERS }, () => writeUntilKilled(next));
        await wait(random() * 300);
        await edge.kill();
        await Promise.all(writing);
        await edge.start();
        for (const path of paths.slice(-REMEMBERED)) {
          const { headers, body } = await fetchFrom(edge.port, path, { host });
          expect(body.equals(bodyOf(path)), path).toBe(true);
          if (/; hit/.test(String(headers['cache-status']))) found.hits++;
          else found.fetched++;
        }
        found.damaged += await readErrors();
      }
      process.stdout.write(
        `${CRASHES} crashes, ${workers} workers, seed ${SEED}: ${found.hits} hits, ${found.fetched} fetched again\n`,
      );
      // Both must have been met, or the kills came at the wrong time; and no row may name a file that is not whole.
      expect(found.hits).toBeGreaterThan(0);
      expect(found.fetched).toBeGreaterThan(0);
      expect(found.damaged).toBe(0);
    },
    CRASHES * ROUND_MS,
  );
});

async function writeUntilKilled(next: () => string): Promise<void> {
  for (;;) {
    const reply = await fetchFrom(edge.port, next(), { host }).catch(() => undefined);
    if (reply === undefined) return;
  }
}

/** A row is written behind its file: after a crash of the process alone, none may be found damaged. */
async function readErrors(): Promise<number> {
  const { text } = await fetchFrom(edge.admin, '/metrics', { host: 'admin' });
  return Number(/store_errors_total\{operation="read"\} (\d+)/.exec(text)?.[1] ?? 0);
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

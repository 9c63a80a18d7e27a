/**
 * How long an edge takes to start on a disk tier of a million objects, and what a look at its index costs then.
 *
 *     node bench/disk-index/main.ts [--objects 1000000]
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDiskIndex } from '../../edge/cache/disk-index.ts';
import { DiskTier } from '../../edge/cache/disk-tier.ts';
import { cacheKey } from '../../edge/cache/key.ts';
import type { StoredObject } from '../../edge/cache/stored-object.ts';
import { createMetrics } from '../../edge/metrics.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';

const DOMAINS = 50;
const ROWS_AT_ONCE = 10_000;
const LOOKUPS = 20_000;
const WANTED_SECONDS = 10;

const { values } = parseArgs({ options: { objects: { type: 'string', default: '1000000' } } });
const count = Number(values.objects);

const folder = await mkdtemp(join(tmpdir(), 'weir-index-'));
try {
  print(`${count} rows written in ${seconds(() => fill(folder))} s`);
  print(`${((await stat(join(folder, 'index.db'))).size / 2 ** 20).toFixed(0)} MB of index`);
  let tier: DiskTier | undefined;
  const options = {
    folder,
    diskBytes: 2 ** 50,
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
  };
  const cpuBefore = cpuSeconds();
  const start = seconds(() => {
    tier = new DiskTier(options);
    tier.index.domains();
  });
  const cpu = (cpuSeconds() - cpuBefore).toFixed(2);
  print(
    `started in ${start} s, ${cpu} s of CPU (wanted: under ${WANTED_SECONDS} s), ${tier?.totals.objects} objects known`,
  );
  const lookups = Number(seconds(() => look(tier)));
  print(`${((lookups * 1e6) / LOOKUPS).toFixed(1)} us for one lookup`);
  await tier?.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}

function fill(into: string): void {
  const index = openDiskIndex(into, silentLog);
  for (let from = 0; from < count; from += ROWS_AT_ONCE) {
    index.transaction(() => {
      for (let number = from; number < Math.min(count, from + ROWS_AT_ONCE); number++) {
        index.put(objectOf(number), number);
      }
    });
  }
  index.close();
}

function look(tier: DiskTier | undefined): void {
  for (let turn = 0; turn < LOOKUPS; turn++) {
    const { key } = objectOf((turn * 7_919) % count);
    if (tier?.find(key).length !== 1) throw new Error(`${key.id} is not found`);
  }
}

/** As an edge writes them: random ids, paths of a video service, half a dozen fields. */
function objectOf(number: number): StoredObject {
  const id = ((number * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0').repeat(3);
  const path = `/videos/series-${number % 1_000}/part-${number}.m4s`;
  return {
    id,
    key: cacheKey(`uid-${number % DOMAINS}`, path, '', { mode: 'Keep', names: [] }),
    selection: [],
    status: 200,
    headers: [
      ['cache-control', 'public, max-age=86400'],
      ['content-type', 'video/mp4'],
      ['etag', `"${id}"`],
      ['last-modified', 'Sun, 22 Nov 2026 12:00:00 GMT'],
      ['date', 'Sun, 22 Nov 2026 12:00:00 GMT'],
    ],
    requestTime: 1,
    responseTime: 2,
    generation: 0,
    tags: [],
    size: 100_000,
    checksums: [number],
  };
}

function seconds(run: () => void): string {
  const begin = performance.now();
  run();
  return ((performance.now() - begin) / 1_000).toFixed(2);
}

/** Of this process: what is left of the figure where others keep the machine busy. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

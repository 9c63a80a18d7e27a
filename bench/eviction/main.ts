/**
 * Hit ratios of ways to evict, over the same requests: of requests and of bytes, with room for so many bytes.
 *
 *     node bench/eviction/main.ts [--seed 1]
 */
import { parseArgs } from 'node:util';
import { type Eviction, s3Fifo } from '../../edge/cache/eviction.ts';
import { textTable } from '../../lib/text-table.ts';
import { lru } from './lru.ts';
import { type Trace, traces } from './traces.ts';
import { wTinyLfu } from './w-tiny-lfu.ts';

const WAYS: Record<string, () => Eviction> = { LRU: lru, 'S3-FIFO': s3Fifo, 'W-TinyLFU': wTinyLfu };
const MEGABYTES = [32, 128];

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const rows = traces(Number(values.seed)).flatMap((trace) =>
  MEGABYTES.flatMap((megabytes) =>
    Object.entries(WAYS).map(([name, create]) => {
      const { requests, bytes, micros } = run(trace, megabytes * 2 ** 20, create());
      return [trace.name, `${megabytes} MB`, name, percent(requests), percent(bytes), micros.toFixed(2)];
    }),
  ),
);
const head = ['requests', 'room', 'eviction', 'hits', 'bytes hit', 'us/request'];
for (const line of textTable([head, ...rows])) process.stdout.write(`${line}\n`);

function run(trace: Trace, room: number, eviction: Eviction) {
  const resident = new Map<string, number>();
  const count = { requests: 0, hits: 0, bytes: 0, hitBytes: 0, used: 0 };
  const begin = performance.now();
  for (const { key, bytes } of trace.requests()) {
    count.requests++;
    count.bytes += bytes;
    if (resident.has(key)) {
      eviction.used(key);
      count.hits++;
      count.hitBytes += bytes;
      continue;
    }
    resident.set(key, bytes);
    count.used += bytes;
    eviction.put(key, bytes);
    while (count.used > room) {
      const gone = eviction.next();
      if (gone === undefined) break;
      count.used -= resident.get(gone) ?? 0;
      resident.delete(gone);
    }
  }
  return {
    requests: count.hits / count.requests,
    bytes: count.hitBytes / count.bytes,
    micros: ((performance.now() - begin) * 1_000) / count.requests,
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/**
 * The compiled geo tables on disk: a dns-server that starts again has them at once instead of compiling for seconds.
 * They count only for the same rules and the same files (names, sizes, times), and only undamaged; else they are made
 * anew, and the file is replaced.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { isMissing, writeFileAtomic } from '../../lib/atomic-file.ts';
import { canonicalDigest } from '../../lib/canonical-json.ts';
import type { Log } from '../../lib/log.ts';
import type { CompiledGeo } from './compile.ts';
import { stampOf } from './geo-files.ts';
import type { GeoJob, GeoOutcome } from './geo-worker.ts';
import type { PrefixTable } from './prefix-table.ts';

/** Rises when tables or their sources come to mean something else: older files are made anew. */
const FORMAT = 2;
const DIGEST_BYTES = 32;

type Compile = (job: GeoJob) => Promise<GeoOutcome>;

export function remembering(file: string, compile: Compile, log: Log): Compile {
  return async (job) => {
    const key = canonicalDigest({ FORMAT, ...job, stamp: await stampOf(job.files) });
    const known = await read(file, key, log);
    if (known) return { compiled: known, faults: [] };
    const outcome = await compile(job);
    // Tables from files with faults are a makeshift: the next start shall say so again.
    if (outcome.faults.length === 0) await write(file, key, outcome.compiled, log);
    return outcome;
  };
}

async function read(file: string, key: string, log: Log): Promise<CompiledGeo | undefined> {
  try {
    const bytes = await readFile(file);
    const body = bytes.subarray(DIGEST_BYTES);
    if (!sha256(body).equals(bytes.subarray(0, DIGEST_BYTES))) throw new Error('the digest does not fit');
    // Our own bytes, as the digest shows.
    const stored = deserialize(body) as CompiledGeo & { key: string };
    if (stored.key !== key) return undefined;
    return { ipv4: shared(stored.ipv4), ipv6: shared(stored.ipv6), results: stored.results };
  } catch (error) {
    if (!isMissing(error))
      log.warn({ file, err: error }, 'stored geo tables are not usable; compiling them anew');
    return undefined;
  }
}

async function write(
  file: string,
  key: string,
  { ipv4, ipv6, results }: CompiledGeo,
  log: Log,
): Promise<void> {
  try {
    const body = serialize({ key, ipv4: own(ipv4), ipv6: own(ipv6), results });
    await writeFileAtomic(file, Buffer.concat([sha256(body), body]));
  } catch (error) {
    log.warn({ file, err: error }, 'geo tables are not stored; the next start compiles them again');
  }
}

/** Shared memory can be handed to threads, and can not be serialized; ordinary memory is the other way round. */
function own({ root, nodes }: PrefixTable): PrefixTable {
  return { root: new Int32Array(root), nodes: new Int32Array(nodes) };
}

function shared({ root, nodes }: PrefixTable): PrefixTable {
  return { root: sharedCopy(root), nodes: sharedCopy(nodes) };
}

function sharedCopy(from: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(from.byteLength));
  copy.set(from);
  return copy;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

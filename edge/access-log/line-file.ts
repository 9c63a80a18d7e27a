/**
 * Lines to a file, or to standard output, behind the requests: a bounded buffer, one write at a time. A disk or a reader
 * that cannot keep up costs lines, which are counted, and never a request.
 */

import { write } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

const MAX_BUFFERED_CHARS = 8 * 1_024 * 1_024;
const FLUSH_EVERY_MS = 250;
/** Sooner when so much has come. */
const FLUSH_CHARS = 64 * 1_024;
const LOOK_EVERY_MS = 1_000;

export interface LineFile {
  add(line: string): void;
  /** The file that lies under its name now is written to from here on. */
  reopen(): void;
  /** Writes what it has, as far as that goes. */
  close(): Promise<void>;
}

export interface LineFileOptions {
  /** Standard output where there is none. */
  path: string | undefined;
  clock: Clock;
  log: Log;
  onDropped: (lines: number) => void;
}

const writeText = promisify(write);

export function openLineFile({ path, clock, log, onDropped }: LineFileOptions): LineFile {
  let lines: string[] = [];
  let chars = 0;
  let file: FileHandle | undefined;
  let working: Promise<void> | undefined;
  let failed = false;

  const flush = () => {
    if (lines.length > 0) working ??= work().finally(() => (working = undefined));
  };
  const stops = [clock.every(FLUSH_EVERY_MS, flush), clock.every(LOOK_EVERY_MS, () => void look())];

  async function work(): Promise<void> {
    while (lines.length > 0) {
      const batch = lines;
      lines = [];
      chars = 0;
      try {
        await writeAll(Buffer.from(batch.join('')));
        failed = false;
      } catch (error) {
        onDropped(batch.length);
        await close();
        if (!failed) log.warn({ err: error, path }, 'the access log cannot be written; lines are dropped');
        failed = true;
      }
    }
  }

  async function writeAll(bytes: Buffer): Promise<void> {
    if (path !== undefined) file ??= await open(path, 'a');
    // 1 is standard output. By a thread of Node's pool: a reader that stands still holds up that thread, not us.
    const descriptor = file?.fd ?? 1;
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeText(descriptor, bytes, at, bytes.length - at, null);
      at += bytesWritten;
    }
  }

  async function close(): Promise<void> {
    const old = file;
    file = undefined;
    await old?.close().catch(() => {});
  }

  /** A file that was renamed or removed by who rotates it is let go. */
  async function look(): Promise<void> {
    if (file === undefined || path === undefined) return;
    const [ours, named] = await Promise.all(
      [file.stat(), stat(path)].map((one) => one.catch(() => undefined)),
    );
    if (ours?.ino !== named?.ino) reopen();
  }

  function reopen(): void {
    // In turn with the writes: a descriptor that is in use must not be another file's.
    working = (working ?? Promise.resolve()).then(close).finally(() => (working = undefined));
  }

  return {
    add(line) {
      if (chars + line.length > MAX_BUFFERED_CHARS) return onDropped(1);
      lines.push(line);
      chars += line.length;
      if (chars >= FLUSH_CHARS) flush();
    },
    reopen,
    async close() {
      for (const stop of stops) stop();
      await working;
      await work();
      await close();
    },
  };
}

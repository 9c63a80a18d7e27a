/**
 * The key of session tickets, by which clients resume without a certificate's signature (RFC 8446 4.6.1, RFC 5077). One
 * for all workers of an edge, kept over restarts, and another one after half a day: who gets hold of it can read no more
 * of TLS 1.2 than that, and a client makes one full handshake more.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** Also for how long a session may be resumed. */
export const TICKET_KEY_LIFETIME_S = 12 * 3_600;
const LOOK_EVERY_MS = 60_000;
/** Name, HMAC key and AES key, as OpenSSL takes them. */
const KEY_BYTES = 48;

const kept = z.strictObject({
  key: z.base64().refine((text) => Buffer.from(text, 'base64').length === KEY_BYTES),
  /** Milliseconds since the epoch. */
  made: z.number(),
});

type Kept = z.infer<typeof kept>;

/** Base64. */
export type TicketKey = string;

export interface TicketKeys {
  current(): TicketKey;
  stop(): void;
}

/** Without a folder it lies in memory alone. */
export async function openTicketKeys(
  folder: string | undefined,
  { clock, log, onChange }: { clock: Clock; log: Log; onChange: (key: TicketKey) => void },
): Promise<TicketKeys> {
  const file = folder === undefined ? undefined : join(folder, 'ticket-key.json');
  const write = async (value: Kept) => {
    if (file === undefined) return;
    await writeFileAtomic(file, `${JSON.stringify(value)}\n`, 0o600).catch((error: unknown) =>
      log.warn({ err: error, file }, 'the ticket key is not written; a restart will end sessions'),
    );
  };
  let held = file === undefined ? undefined : await readKept(file, clock.now());
  if (held === undefined) {
    held = makeKey(clock.now());
    await write(held);
  }
  let { key, made } = held;
  const stop = clock.every(LOOK_EVERY_MS, () => {
    if (!isOver(made, clock.now())) return;
    const next = makeKey(clock.now());
    ({ key, made } = next);
    void write(next);
    onChange(key);
  });
  return { current: () => key, stop };
}

function makeKey(now: number): Kept {
  return { key: randomBytes(KEY_BYTES).toString('base64'), made: now };
}

/** A clock that was set back must not make a key that lives for years. */
function isOver(made: number, now: number): boolean {
  return Math.abs(now - made) >= TICKET_KEY_LIFETIME_S * 1_000;
}

/** A file that does not read costs a full handshake for each client, and is written anew. */
async function readKept(file: string, now: number): Promise<Kept | undefined> {
  try {
    const text = await readFileIfThere(file);
    const value = text === undefined ? undefined : kept.parse(JSON.parse(text));
    return value === undefined || isOver(value.made, now) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** When servers would like their certificates renewed (RFC 9773), as far as they said; a server that says nothing is none. */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import type { Pair } from '../certificates/pair.ts';

export interface Window {
  start: number;
  end: number;
  /** How long the server's word stands (RFC 9773 4.3.2). */
  retryAfterMs?: number | undefined;
}

/** Asked no more and no less often than this, whatever the server says. */
const FRESH_MS = { atLeast: 60_000, usual: 6 * 3_600_000, atMost: 24 * 3_600_000 };

export class RenewalWindows {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, { serial: string; window: Window | undefined; until: number }>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  of(key: string, { serialNumber }: Pair): Window | undefined {
    const known = this.#known.get(key);
    return known?.serial === serialNumber ? known.window : undefined;
  }

  /** Asked beside everything else, when the last word has aged. */
  refresh(key: string, pair: Pair, ask: () => Promise<Window | undefined>): void {
    const known = this.#known.get(key);
    const serial = pair.serialNumber;
    const now = this.#clock.now();
    if (known?.serial === serial && now < known.until) return;
    this.#known.set(key, { serial, window: this.of(key, pair), until: now + FRESH_MS.usual });
    ask()
      .then((window) => {
        const { atLeast, usual, atMost } = FRESH_MS;
        const freshMs = Math.min(Math.max(window?.retryAfterMs ?? usual, atLeast), atMost);
        if (window) this.#known.set(key, { serial, window, until: now + freshMs });
      })
      .catch((error: unknown) =>
        this.#log.warn({ certificate: key, reason: messageOf(error) }, 'no renewal information'),
      );
  }

  forget(keys: { has: (key: string) => boolean }): void {
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }
}

/** RFC 9773 4.1: the issuer's key identifier and the serial number. */
export async function renewalId(pair: Pair): Promise<string | undefined> {
  const { chain } = JSON.parse(pair.value) as { chain: string };
  const { AuthorityKeyIdentifierExtension, X509Certificate: Parsed } = await import('../../lib/x509.ts');
  const { keyId } =
    new Parsed(new X509Certificate(chain).raw).getExtension(AuthorityKeyIdentifierExtension) ?? {};
  if (keyId === undefined) return undefined;
  const hex = pair.serialNumber.length % 2 === 0 ? pair.serialNumber : `0${pair.serialNumber}`;
  // As DER has it: a first bit that is set would make it negative.
  const serial = Number.parseInt(hex.slice(0, 2), 16) >= 0x80 ? `00${hex}` : hex;
  return [keyId, serial].map((text) => Buffer.from(text, 'hex').toString('base64url')).join('.');
}

/** Which CAs HTTPS probes trust: the usual ones and those of a file, which is read again when it changes. */
import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';

export interface ProbeTrust {
  /** Made once for all probes: a hundred and more certificates are read for it. */
  current(): SecureContext;
  stop(): void;
}

const POLL_MS = 10_000;

/** Throws when there is no certificate in the file. */
export async function followProbeTrust(file: string, clock: Clock, log: Log): Promise<ProbeTrust> {
  let text = await readFile(file, 'utf8');
  let context = trusting(file, text);
  const look = latest<void>(async () => {
    try {
      const next = await readFile(file, 'utf8');
      if (next === text) return;
      context = trusting(file, next);
      text = next;
      log.info({ file }, 'probes trust other CAs');
    } catch (error) {
      log.warn({ err: error, file }, 'the CAs of probes cannot be used; those before are');
    }
  });
  return { current: () => context, stop: clock.every(POLL_MS, () => look.offer()) };
}

function trusting(file: string, text: string): SecureContext {
  const own = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (own.length === 0) throw new Error(`${file}: no certificate in PEM`);
  return createSecureContext({ ca: [...getCACertificates('default'), ...own] });
}

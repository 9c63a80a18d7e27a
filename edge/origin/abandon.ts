import type { Readable } from 'node:stream';

/** Ends a body that nobody will read. undici reports the abort as an error, which without a listener ends the process. */
export function abandon(body: Readable): void {
  body.on('error', () => {});
  body.destroy();
}

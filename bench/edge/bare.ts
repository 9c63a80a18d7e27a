/** The floor: the same answers by `node:net` and `node:tls`, from constants, with no look at what was asked. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

export const bare: Server = {
  name: 'bare',
  tier: 'memory',
  // It has no HTTP/2, and nothing to miss.
  takes: ({ over, unique }) => over !== 'h2' && !unique,
  async command({ folder, port, tls }) {
    const [chain, key] = [join(folder, 'crt.pem'), join(folder, 'key.pem')];
    await writeFile(chain, tls.certificate.chain);
    await writeFile(key, tls.certificate.key);
    const args = [join(import.meta.dirname, 'bare-server.ts'), String(port), String(tls.port), chain, key];
    return { file: process.execPath, args };
  },
};

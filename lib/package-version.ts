/** The version of Weir that this code is of, from the package.json beside it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CODE_ROOT } from './code-files.ts';

const manifest = z.object({ version: z.string() });

export function packageVersion(): string {
  return manifest.parse(JSON.parse(readFileSync(join(CODE_ROOT, 'package.json'), 'utf8'))).version;
}

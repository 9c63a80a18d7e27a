/**
 * Where the programs' own code lies: the repository, or the bundle that `npm run build` makes of it and that keeps its
 * folders (scripts/build.ts). For what is started by its path: programs and threads.
 */
import { extname, join } from 'node:path';

/** `lib` is one level below the root, here and in the bundle. */
export const CODE_ROOT = join(import.meta.dirname, '..');

/** `.ts` of the sources, `.js` of the bundle. */
const EXTENSION = extname(import.meta.filename);

/** The file of a module that is named by its path without an extension: `dns-server/main`. */
export function codeFile(module: string): string {
  return join(CODE_ROOT, `${module}${EXTENSION}`);
}

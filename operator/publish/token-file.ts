/** The agents' credential in standalone: one random token, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';

export async function readOrMakeToken(path: string): Promise<string> {
  const stored = (await readFileIfThere(path))?.trim();
  if (stored) {
    // A copy of the folder may have lost the mode.
    await chmod(path, 0o600);
    return stored;
  }
  const token = randomBytes(32).toString('base64url');
  await writeFileAtomic(path, `${token}\n`, 0o600);
  return token;
}

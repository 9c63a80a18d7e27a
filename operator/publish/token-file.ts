/** The agents' credential in standalone: one random token, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { createFileAtomic, readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';

const MODE = 0o600;

export async function readOrMakeToken(path: string): Promise<string> {
  const stored = await readFileIfThere(path);
  if (stored?.trim()) {
    // A copy of the folder may have lost the mode.
    await chmod(path, MODE);
    return stored.trim();
  }
  const token = randomBytes(32).toString('base64url');
  const content = `${token}\n`;
  if (stored !== undefined) await writeFileAtomic(path, content, MODE);
  // Of replicas that start at once on one folder, the first one's token is everybody's.
  else if (!(await createFileAtomic(path, content, MODE))) return readOrMakeToken(path);
  return token;
}

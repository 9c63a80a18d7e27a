/** Copies as files of mode 0600 in the state folder, beside each other as web servers want them. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StateFolder } from '../../contract/state-folder.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import type { WriteCopy } from './copies.ts';

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

export function copyFiles({ copyFile }: StateFolder): WriteCopy {
  return async ({ owner: { metadata }, secretName, chain, key }) => {
    const file = (ending: string) => copyFile(metadata.namespace, `${secretName}.${ending}`);
    await mkdir(dirname(file('crt')), { recursive: true, mode: PRIVATE_FOLDER });
    await writeFileAtomic(file('key'), key, PRIVATE_FILE);
    await writeFileAtomic(file('crt'), chain, PRIVATE_FILE);
  };
}

/** One reading of a folder for a command, with an error that names what was typed. */

import { messageOf } from '../lib/message-of.ts';
import { loadFolder } from '../operator/source/folder/folder-source.ts';
import type { Loaded } from '../operator/source/source.ts';
import { CommandError, EXIT } from './exit-codes.ts';

export async function readDocuments(folder: string): Promise<Loaded> {
  try {
    return await loadFolder(folder, new Date().toISOString());
  } catch (error) {
    const why = messageOf(error);
    throw new CommandError(EXIT.usage, `${folder}: can not be read as a folder: ${why}`);
  }
}

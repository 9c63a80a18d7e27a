/**
 * A file that is too large to be written anew for each small change: the file itself, and beside it a journal of the
 * changes since. Disk only; what a line means is the caller's.
 *
 *     replace ─> file: write aside, fsync, rename; then the journal goes
 *     append  ─> journal: one line, fsync
 *     read    ─> file, and the journal's whole lines in order
 *
 * A crash leaves at worst a torn last line, which is left out, or the journal of the file before, whose lines the caller
 * knows by what they start from. After a start on a journal the next change is a `replace`: nothing is ever appended to
 * what another run left.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readFileIfThere, removeFile, syncFolder, writeFileAtomic } from '../lib/atomic-file.ts';

/** Reading ten thousand domains with a journal of this size takes a fraction longer than without. */
const SMALL_BYTES = 2 ** 20;
/** A journal that grew to this part of its file is worth a new file. */
const WORTH_REPLACING = 1 / 4;

export interface Journaled {
  file: string | undefined;
  lines: string[];
}

export async function readJournaled(path: string): Promise<Journaled> {
  const file = await readFileIfThere(path);
  const journal = (await readFileIfThere(journalOf(path))) ?? '';
  return { file, lines: journal.split('\n').slice(0, -1) };
}

export class JournaledFile {
  readonly #path: string;
  #journal: FileHandle | undefined;
  #journalBytes = 0;
  /** Of the file that this run wrote; nothing is appended to another's. */
  #fileBytes: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when the file is durable. */
  async replace(text: string): Promise<void> {
    await this.close();
    this.#fileBytes = undefined;
    await writeFileAtomic(this.#path, text);
    await removeFile(journalOf(this.#path));
    this.#fileBytes = text.length;
  }

  /** Resolves with true when the line is durable; with false when the file has to be replaced instead. */
  async append(line: string): Promise<boolean> {
    if (this.#fileBytes === undefined) return false;
    const bytes = this.#journalBytes + line.length;
    if (bytes > Math.max(SMALL_BYTES, this.#fileBytes * WORTH_REPLACING)) return false;
    try {
      const journal = this.#journal ?? (await this.#open());
      await journal.appendFile(`${line}\n`);
      await journal.datasync();
    } catch (error) {
      // What is there now may end within a line.
      this.#fileBytes = undefined;
      throw error;
    }
    this.#journalBytes = bytes;
    return true;
  }

  async close(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
    this.#journalBytes = 0;
  }

  async #open(): Promise<FileHandle> {
    this.#journal = await open(journalOf(this.#path), 'w');
    await syncFolder(dirname(this.#path));
    return this.#journal;
  }
}

const journalOf = (path: string) => `${path}.journal`;

/**
 * weir.yaml beside the Kubernetes source: one file, in a pod a mounted ConfigMap. Looked at by its content, since a
 * ConfigMap is changed by swapping a link that watches on the file do not see.
 */
import { readFile } from 'node:fs/promises';
import type { Log } from '../../../lib/log.ts';
import { parseDocuments } from '../folder/parse-documents.ts';
import type { SourceDocument } from '../source.ts';

/** The name that problems have. */
const NAME = 'weir.yaml';

export class ConfigFile {
  readonly #path: string;
  readonly #log: Log;
  #text: string;
  #document: SourceDocument;
  #failing = false;

  /** Throws when there is no such file: without settings there is nothing to do. */
  static async open(path: string, log: Log): Promise<ConfigFile> {
    return new ConfigFile(path, await readFile(path, 'utf8'), log);
  }

  private constructor(path: string, text: string, log: Log) {
    this.#path = path;
    this.#text = text;
    this.#log = log;
    this.#document = toDocument(text);
  }

  document(): SourceDocument {
    return this.#document;
  }

  /** Reads again; true when it is another text. A file that can't be read stays what it was. */
  async look(): Promise<boolean> {
    try {
      const text = await readFile(this.#path, 'utf8');
      this.#failing = false;
      if (text === this.#text) return false;
      this.#text = text;
      this.#document = toDocument(text);
      return true;
    } catch (error) {
      if (!this.#failing)
        this.#log.error({ path: this.#path, err: error }, 'weir.yaml can not be read; the last one stays');
      this.#failing = true;
      return false;
    }
  }
}

/** An empty file is one without settings, so that its problems are told. */
function toDocument(text: string): SourceDocument {
  const [first] = parseDocuments({ path: NAME, text });
  return first ?? { file: NAME, value: {}, line: () => 1 };
}

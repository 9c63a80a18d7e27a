/**
 * The folder as a source: the user's manifests, and below `jobs` those that Weir made itself. A directory watch says
 * when to look; a poll of the content finds what watches miss (editors that rename, ConfigMaps that swap a link,
 * network file systems).
 */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../../lib/clock.ts';
import { type Latest, latest } from '../../../lib/latest.ts';
import type { Log } from '../../../lib/log.ts';
import type { Loaded, Source, SourceDocument } from '../source.ts';
import { parseDocuments } from './parse-documents.ts';
import { type ManifestFile, readFolder } from './read-folder.ts';
import { judge, NOTHING_SEEN, type Settling } from './settling.ts';

const CONFIG_FILE = 'weir.yaml';
/** Before the names of own jobs, so that they are told from the user's files. No listed file begins with a dot. */
const OWN_JOBS = '.jobs/';
/** What a watch missed is found after this at the latest. */
const POLL_MS = 2_000;

interface FolderSourceOptions {
  folder: string;
  jobs: string;
  clock: Clock;
  log: Log;
}

export function folderSource(options: FolderSourceOptions): Source {
  return new FolderSource(options);
}

class FolderSource implements Source {
  readonly #options: FolderSourceOptions;
  readonly #cleanups: (() => void)[] = [];
  readonly #looks: Latest<void>;
  #onLoaded: (loaded: Loaded) => void = () => {};
  #settling: Settling = NOTHING_SEEN;
  #cancelNext = () => {};
  #failing = '';

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    this.#looks = latest(() => this.#look());
  }

  start(onLoaded: (loaded: Loaded) => void): void {
    const { folder, jobs, clock, log } = this.#options;
    this.#onLoaded = onLoaded;
    const look = () => this.#looks.offer();
    this.#cleanups.push(clock.every(POLL_MS, look), () => this.#cancelNext());
    for (const root of [folder, jobs]) this.#cleanups.push(watchFolder(root, look, log));
    look();
  }

  async stop(): Promise<void> {
    for (const cleanup of this.#cleanups) cleanup();
    await this.#looks.idle();
    this.#cancelNext();
  }

  async #look(): Promise<void> {
    const { folder, jobs, log } = this.#options;
    try {
      const files = await readRoots(folder, jobs);
      if (this.#failing !== '') log.info({ folder }, 'the folder can be read again');
      this.#failing = '';
      this.#judge(files);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#failing)
        log.error({ folder, err: error }, 'the folder can not be read; what it gave stays');
      this.#failing = reason;
    }
  }

  #judge(files: readonly ManifestFile[]): void {
    const { clock } = this.#options;
    const now = clock.now();
    const { settling, believe, lookAgainMs } = judge(this.#settling, files, now);
    this.#settling = settling;
    this.#cancelNext();
    if (lookAgainMs !== undefined) this.#cancelNext = clock.after(lookAgainMs, () => this.#looks.offer());
    if (believe) this.#onLoaded(toLoaded(files, new Date(now).toISOString()));
  }
}

/** One reading of the folder, for commands that do not stay. */
export async function loadFolder(folder: string, at: string): Promise<Loaded> {
  return toLoaded(await readFolder(folder), at);
}

async function readRoots(folder: string, jobs: string): Promise<ManifestFile[]> {
  await mkdir(jobs, { recursive: true });
  const [manifests, own] = await Promise.all([readFolder(folder), readFolder(jobs)]);
  return [...manifests, ...own.map(({ path, text }) => ({ path: `${OWN_JOBS}${path}`, text }))];
}

function toLoaded(files: readonly ManifestFile[], at: string): Loaded {
  const config = files.find(({ path }) => path === CONFIG_FILE);
  const documents = files.filter((file) => file !== config).flatMap(parseDocuments);
  return {
    at,
    config: config && configDocument(config),
    documents: documents.map((document) =>
      document.file.startsWith(OWN_JOBS) ? { ...document, ownJob: true } : document,
    ),
  };
}

/** An empty weir.yaml is a document without settings, so that its problems are told like any other's. */
function configDocument(file: ManifestFile): SourceDocument {
  return parseDocuments(file)[0] ?? { file: file.path, value: {}, line: () => 1 };
}

function watchFolder(root: string, onChange: () => void, log: Log): () => void {
  let watcher: FSWatcher | undefined;
  const warn = (error: unknown) => log.warn({ root, err: error }, 'no directory watch; the poll goes on');
  try {
    watcher = watch(root, { recursive: true, persistent: false }, onChange);
    watcher.on('error', warn);
  } catch (error) {
    warn(error);
  }
  return () => watcher?.close();
}

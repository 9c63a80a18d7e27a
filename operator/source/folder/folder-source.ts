/**
 * The folder as a source: the user's manifests, and below `jobs` those that Weir made itself. A directory watch says
 * when to look; a poll of the content finds what watches miss (editors that rename, ConfigMaps that swap a link,
 * network file systems).
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../lib/clock.ts';
import { type Latest, latest } from '../../../lib/latest.ts';
import type { Log } from '../../../lib/log.ts';
import { messageOf } from '../../../lib/message-of.ts';
import type { Loaded, Source, SourceDocument } from '../source.ts';
import { folderSecrets, isSecret } from './folder-secrets.ts';
import { parseDocuments } from './parse-documents.ts';
import { isManifest, type ManifestFile, readFolder } from './read-folder.ts';
import { judge, NOTHING_SEEN, type Settling } from './settling.ts';
import { type FolderWatch, watchFolders } from './watch-folders.ts';

const CONFIG_FILE = 'weir.yaml';
/** Before the names of own jobs, so that they are told from the user's files. No listed file begins with a dot. */
const OWN_JOBS = '.jobs/';
const OWN_SAMPLES = '.samples/';
/** What a watch missed is found after this at the latest. */
const POLL_MS = 2_000;

interface FolderSourceOptions {
  folder: string;
  jobs: string;
  /** The Secret of `sampleCertificate`. */
  samples: string;
  clock: Clock;
  log: Log;
}

type OwnRoots = Pick<FolderSourceOptions, 'jobs' | 'samples'>;

export function folderSource(options: FolderSourceOptions): Source {
  return new FolderSource(options);
}

class FolderSource implements Source {
  readonly #options: FolderSourceOptions;
  readonly #cleanups: (() => void)[] = [];
  readonly #looks: Latest<void>;
  readonly #watch: FolderWatch;
  #onLoaded: (loaded: Loaded) => void = () => {};
  #settling: Settling = NOTHING_SEEN;
  #cancelNext = () => {};
  #failing = '';

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    this.#looks = latest(() => this.#look());
    this.#watch = watchFolders(() => this.#looks.offer(), options.log);
  }

  start(onLoaded: (loaded: Loaded) => void): void {
    this.#onLoaded = onLoaded;
    const look = () => this.#looks.offer();
    this.#cleanups.push(this.#options.clock.every(POLL_MS, look));
    look();
  }

  async stop(): Promise<void> {
    for (const cleanup of this.#cleanups) cleanup();
    await this.#looks.idle();
    this.#cancelNext();
    this.#watch.close();
  }

  async #look(): Promise<void> {
    const { folder, jobs, samples, log } = this.#options;
    try {
      const files = await readRoots(folder, { jobs, samples });
      if (this.#failing !== '') log.info({ folder }, 'the folder can be read again');
      this.#failing = '';
      this.#watch.follow(foldersOf(folder, { jobs, samples }, files));
      this.#judge(files);
    } catch (error) {
      const reason = messageOf(error);
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

/** The roots, and every folder that a manifest lies in; a new one is found by the poll. */
function foldersOf(folder: string, { jobs, samples }: OwnRoots, files: readonly ManifestFile[]): Set<string> {
  // No listed file begins with a dot.
  const theirs = files.filter(({ path }) => !path.startsWith('.'));
  return new Set([folder, jobs, samples, ...theirs.map(({ path }) => dirname(join(folder, path)))]);
}

/** One reading of the folder, for commands that do not stay. */
export async function loadFolder(folder: string, at: string): Promise<Loaded> {
  return toLoaded(await readFolder(folder), at);
}

/** What Weir wrote itself to be read as manifests is YAML; beside the sample Secret lies its CA as JSON, which is none. */
async function readRoots(folder: string, { jobs, samples }: OwnRoots): Promise<ManifestFile[]> {
  const own = async (root: string, prefix: string) => {
    await mkdir(root, { recursive: true });
    const files = (await readFolder(root)).filter(({ path }) => path.endsWith('.yaml'));
    return files.map(({ path, text }) => ({ path: `${prefix}${path}`, text }));
  };
  return (await Promise.all([readFolder(folder), own(jobs, OWN_JOBS), own(samples, OWN_SAMPLES)])).flat();
}

function toLoaded(files: readonly ManifestFile[], at: string): Loaded {
  const all = files.filter(isManifest).flatMap(parseDocuments);
  const [secrets, documents] = [all.filter(isSecret), all.filter((document) => !isSecret(document))];
  const config = configDocument(files, documents);
  return {
    at,
    config,
    secrets: folderSecrets(files, secrets),
    documents: documents
      .filter((document) => document !== config)
      .map((document) => (document.file.startsWith(OWN_JOBS) ? { ...document, ownJob: true } : document)),
  };
}

/**
 * The settings are the first document of weir.yaml; what stands behind them are manifests like any other. An empty
 * weir.yaml is a document without settings, so that its problems are told too.
 */
function configDocument(
  files: readonly ManifestFile[],
  documents: readonly SourceDocument[],
): SourceDocument | undefined {
  if (!files.some(({ path }) => path === CONFIG_FILE)) return undefined;
  const first = documents.find(({ file }) => file === CONFIG_FILE);
  return first ?? { file: CONFIG_FILE, value: {}, line: () => 1 };
}

/**
 * The folder as a source: the user's manifests, and below `jobs` those that Weir made itself. A directory watch says
 * when to look; a poll of the content finds what watches miss (editors that rename, ConfigMaps that swap a link,
 * network file systems).
 */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { sha256Hex } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import type { Loaded, Source, SourceDocument } from '../source.ts';
import { parseDocuments } from './parse-documents.ts';
import { type ManifestFile, readFolder } from './read-folder.ts';

const CONFIG_FILE = 'weir.yaml';
/** What a watch missed is found after this at the latest. */
const POLL_MS = 2_000;
/** An editor's save is several events; one look after the last of them is enough. */
const SETTLE_MS = 50;

interface FolderSourceOptions {
  folder: string;
  jobs: string;
  clock: Clock;
  log: Log;
}

export function folderSource({ folder, jobs, clock, log }: FolderSourceOptions): Source {
  let seen = '';
  let failing = '';
  let reading: Promise<void> | undefined;
  let again = false;
  const cleanups: (() => void)[] = [];

  return {
    start(onLoaded) {
      const look = async () => {
        try {
          const files = await readBoth(folder, jobs);
          const digest = digestOf(files);
          if (failing !== '') log.info({ folder }, 'the folder can be read again');
          failing = '';
          if (digest === seen) return;
          seen = digest;
          onLoaded(toLoaded(files, new Date(clock.now()).toISOString()));
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          if (reason !== failing)
            log.error({ folder, err: error }, 'the folder can not be read; what it gave stays');
          failing = reason;
        }
      };
      const lookSoon = () => {
        again = true;
        reading ??= (async () => {
          while (again) {
            again = false;
            await look();
          }
          reading = undefined;
        })();
      };
      const settled = settle(clock, SETTLE_MS, lookSoon);
      cleanups.push(clock.every(POLL_MS, lookSoon), () => settled.cancel());
      for (const root of [folder, jobs]) cleanups.push(watchFolder(root, () => settled.trigger(), log));
      lookSoon();
    },
    async stop() {
      for (const cleanup of cleanups) cleanup();
      await reading;
    },
  };
}

/** One reading of the folder, for commands that do not stay. */
export async function loadFolder(folder: string, at: string): Promise<Loaded> {
  return toLoaded({ own: [], folder: await readFolder(folder) }, at);
}

interface BothRoots {
  folder: ManifestFile[];
  own: ManifestFile[];
}

async function readBoth(folder: string, jobs: string): Promise<BothRoots> {
  await mkdir(jobs, { recursive: true });
  const [manifests, own] = await Promise.all([readFolder(folder), readFolder(jobs)]);
  return { folder: manifests, own };
}

function digestOf({ folder, own }: BothRoots): string {
  return sha256Hex(JSON.stringify([folder, own]));
}

function toLoaded({ folder, own }: BothRoots, at: string): Loaded {
  const jobs = own.flatMap(parseDocuments).map((document) => ({ ...document, ownJob: true }));
  const { config, manifests } = splitConfig(folder);
  return { at, config, documents: [...manifests, ...jobs] };
}

/**
 * The settings are the first document of weir.yaml; what stands behind them in the file are manifests like any other.
 * An empty weir.yaml is a document without settings, so that its problems are told too.
 */
function splitConfig(folder: ManifestFile[]): { config?: SourceDocument; manifests: SourceDocument[] } {
  const documents = folder.flatMap(parseDocuments);
  const file = folder.find(({ path }) => path === CONFIG_FILE);
  if (!file) return { manifests: documents };
  const config = documents.find((document) => document.file === CONFIG_FILE);
  const manifests = documents.filter((document) => document !== config);
  return { config: config ?? { file: file.path, value: {}, line: () => 1 }, manifests };
}

function settle(clock: Clock, ms: number, run: () => void) {
  let cancel = () => {};
  return {
    trigger() {
      cancel();
      cancel = clock.after(ms, run);
    },
    cancel: () => cancel(),
  };
}

function watchFolder(root: string, onChange: () => void, log: Log): () => void {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(root, { recursive: true, persistent: false }, onChange);
    watcher.on('error', (error) => log.warn({ root, err: error }, 'no directory watch; the poll goes on'));
  } catch (error) {
    log.warn({ root, err: error }, 'no directory watch; the poll goes on');
  }
  return () => watcher?.close();
}

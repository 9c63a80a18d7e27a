/** `weir prefetch`: hands over PurgeJobs of action Prefetch, and waits for their conditions. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { API_VERSION } from '../../contract/kinds/kind.ts';
import { manifestSchema } from '../../contract/kinds/metadata.ts';
import { purgeJob } from '../../contract/kinds/purge-job.ts';
import { formatPath } from '../../contract/problem.ts';
import { DURATION_PATTERN, durationMs } from '../../lib/duration.ts';
import { messageOf } from '../../lib/message-of.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { Installation } from '../installation/installation.ts';
import {
  addInstallationOptions,
  type InstallationOptions,
  withInstallation,
} from '../installation/options.ts';
import { printLines } from '../print.ts';
import { exitCodeFor } from '../purge/command.ts';
import { type DomainName, findDomain, namespaceIn } from '../purge/find-domain.ts';
import { purgeName } from '../purge/job.ts';
import { finalText } from '../purge/progress.ts';
import { waitForJob } from '../purge/wait.ts';

interface PrefetchOptions extends InstallationOptions {
  domain?: string;
  url: string[];
  from?: string;
  concurrency: number;
  rate: number;
  /** Milliseconds; false with --no-wait. */
  wait: number | false;
}

/** What one PurgeJob may name. */
const URLS_PER_JOB = 500;

export function prefetchCommand(program: Command): void {
  const more = (value: string, before: string[]) => [...before, value];
  const command = program
    .command('prefetch')
    .description('have every edge fetch URLs before clients ask, with the segments that playlists name')
    .option('--domain <name>', 'the domain: [namespace/]name or hostname (default: the one of the URLs)')
    .option('--url <url>', 'one URL; repeatable', more, [])
    .option(
      '--from <file>',
      'a file with one URL a line; empty lines and those that begin with # are left out',
    )
    .addOption(
      new Option('--concurrency <n>', 'URLs that an edge fetches at a time').argParser(Number).default(8),
    )
    .addOption(
      new Option('--rate <n>', 'fetches that an edge begins in a second').argParser(Number).default(50),
    )
    .addOption(
      new Option('--wait <duration>', 'how long to wait').argParser(duration).default(600_000, '10m'),
    )
    .option('--no-wait', 'only hand it over; `weir get purgejobs` shows how it fares');
  addInstallationOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir prefetch --url http://video.example.com/hls/playlist.m3u8
  weir prefetch --from urls.txt --concurrency 4 --rate 20`,
    )
    .action(prefetch);
}

function duration(text: string): number {
  if (DURATION_PATTERN.test(text)) return durationMs(text);
  throw new InvalidArgumentError('A duration: a whole number and ms, s, m, h or d, such as 60s.');
}

async function prefetch(options: PrefetchOptions): Promise<void> {
  const urls = [...new Set([...options.url, ...(await urlsFrom(options.from))])];
  if (urls.length === 0) throw new CommandError(EXIT.usage, 'say what to fetch: --url or --from');
  await withInstallation(options, (installation) => handOver(installation, urls, options));
}

async function handOver(
  installation: Installation,
  urls: readonly string[],
  options: PrefetchOptions,
): Promise<void> {
  const domains = await installation.resources('CdnDomain', namespaceIn(options.domain));
  const domain = findDomain(domains, options.domain, urls);
  const manifests = prefetchManifests(
    domain,
    urls,
    options,
    purgeName(Date.now(), randomBytes(3).toString('hex')),
  );
  for (const manifest of manifests) await installation.submit(manifest);
  const { wait } = options;
  if (wait === false) {
    printLines(manifests.map(({ metadata }) => `${metadata.namespace}/${metadata.name}: handed over`));
    return;
  }
  const started = Date.now();
  for (const { metadata } of manifests) {
    const timeoutMs = Math.max(0, started + wait - Date.now());
    const look = () => installation.job(metadata.namespace, metadata.name);
    const job = await waitForJob({ timeoutMs, job: look, onProgress: () => {} });
    printLines([finalText(`${metadata.namespace}/${metadata.name}`, job, Date.now() - started)]);
    process.exitCode = Math.max(Number(process.exitCode ?? EXIT.ok), exitCodeFor(job));
  }
}

async function urlsFrom(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [];
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `--from ${file}: ${messageOf(error)}`);
  });
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** As many jobs as the URLs need; each is checked as a document of the folder will be. */
export function prefetchManifests(
  { namespace, name: domain }: DomainName,
  urls: readonly string[],
  { concurrency, rate }: { concurrency: number; rate: number },
  name: string,
) {
  const count = Math.ceil(urls.length / URLS_PER_JOB);
  return Array.from({ length: count }, (_, index) => {
    const manifest = {
      apiVersion: API_VERSION,
      kind: 'PurgeJob',
      metadata: { name: count === 1 ? name : `${name}-${index + 1}`, namespace },
      spec: {
        domainRef: { name: domain },
        action: 'Prefetch',
        urls: urls.slice(index * URLS_PER_JOB, (index + 1) * URLS_PER_JOB),
        prefetch: { concurrency, perSecond: rate },
      },
    };
    const checked = manifestSchema(purgeJob).safeParse(manifest);
    if (checked.success) return manifest;
    const faults = checked.error.issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
    throw new CommandError(EXIT.usage, faults.join('\n'));
  });
}

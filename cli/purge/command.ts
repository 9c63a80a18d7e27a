/**
 * `weir purge`: hands over a PurgeJob (into the state folder, as one that lay in the user's folder would be, or to a
 * Kubernetes API) and waits for its conditions.
 */
import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { DURATION_PATTERN, durationMs } from '../../lib/duration.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import type { Installation } from '../installation/installation.ts';
import {
  addInstallationOptions,
  type InstallationOptions,
  withInstallation,
} from '../installation/options.ts';
import { printLines, printValue } from '../print.ts';
import { findDomain, namespaceIn } from './find-domain.ts';
import { type PurgeManifest, purgeManifest, purgeName, type Targets } from './job.ts';
import { finalText, outcomeOf } from './progress.ts';
import { waitForJob } from './wait.ts';

interface PurgeOptions extends InstallationOptions, Targets {
  domain?: string;
  /** Milliseconds; false with --no-wait. */
  wait: number | false;
  output: 'text' | 'json';
}

export function purgeCommand(program: Command): void {
  const more = (value: string, before: string[]) => [...before, value];
  const command = program
    .command('purge')
    .description('make every edge forget stored content, and wait until all have said that they did')
    .option('--domain <name>', 'the domain: [namespace/]name or hostname (default: the one of the URLs)')
    .option('--url <url>', 'one URL, with all its variants; repeatable', more, [])
    .option('--prefix <url>', 'everything whose URL begins so; repeatable', more, [])
    .option('--tag <tag>', 'everything with it in Surrogate-Key or Cache-Tag; repeatable', more, [])
    .option('--regex <expression>', 'everything whose path and query match')
    .option('--everything', 'all of the domain')
    .option('--soft', 'mark it stale, to be confirmed by the origin, instead of dropping it')
    .addOption(new Option('--wait <duration>', 'how long to wait').argParser(duration).default(60_000, '60s'))
    .option('--no-wait', 'only hand it over; `weir get purgejobs` shows how it fares')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  addInstallationOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  weir purge --url http://video.example.com/video.bin
  weir purge --prefix http://video.example.com/hls/ --wait 10s
  weir purge --domain demo/video --tag film-42 --soft
  weir purge --domain demo/video --regex '^/hls/.*[.]m3u8'
  weir purge --domain demo/video --everything`,
    )
    .action((options: PurgeOptions) =>
      withInstallation(options, (installation) => purge(installation, options)),
    );
}

function duration(text: string): number {
  if (DURATION_PATTERN.test(text)) return durationMs(text);
  throw new InvalidArgumentError('A duration: a whole number and ms, s, m, h or d, such as 60s.');
}

async function purge(installation: Installation, options: PurgeOptions): Promise<void> {
  const urls = [...options.url, ...options.prefix];
  if (options.domain === undefined && urls.length === 0) {
    throw new CommandError(EXIT.usage, 'say which domain: --domain, or --url or --prefix with its hostname');
  }
  const domains = await installation.resources('CdnDomain', namespaceIn(options.domain));
  const domain = findDomain(domains, options.domain, urls);
  const name = purgeName(Date.now(), randomBytes(3).toString('hex'));
  const manifest = purgeManifest(domain, options, name);
  await installation.submit(manifest);
  if (options.wait === false) {
    report(options.output, manifest, `${domain.namespace}/${name}: handed over`, undefined);
    return;
  }
  const started = Date.now();
  const job = await waitForJob({
    timeoutMs: options.wait,
    job: () => installation.job(domain.namespace, name),
    onProgress: (text) => process.stderr.isTTY && process.stderr.write(`${name}: ${text}\n`),
  });
  const text = finalText(`${domain.namespace}/${name}`, job, Date.now() - started);
  report(options.output, manifest, text, job);
  process.exitCode = exitCodeFor(job);
}

export function exitCodeFor(job: ResourceView | undefined): ExitCode {
  const outcome = outcomeOf(job);
  if (outcome === undefined) return EXIT.timedOut;
  return outcome === 'Complete' ? EXIT.ok : EXIT.failed;
}

function report(
  output: PurgeOptions['output'],
  manifest: PurgeManifest,
  text: string,
  job: ResourceView | undefined,
): void {
  if (output === 'json') printValue({ ...manifest, status: job?.status ?? {} }, 'json');
  else printLines([text]);
}

/** The PurgeJob that a command line asks for. Pure. */
import { API_VERSION } from '../../contract/kinds/kind.ts';
import { manifestSchema } from '../../contract/kinds/metadata.ts';
import { purgeJob } from '../../contract/kinds/purge-job.ts';
import { formatPath } from '../../contract/problem.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { DomainName } from './find-domain.ts';

export interface Targets {
  url: string[];
  prefix: string[];
  everything?: boolean;
}

/** Checked as a document of the folder will be: what is wrong with it is told now, with the option that said it. */
export function purgeManifest({ namespace, name: domain }: DomainName, targets: Targets, name: string) {
  const manifest = {
    apiVersion: API_VERSION,
    kind: 'PurgeJob',
    metadata: { name, namespace },
    spec: { domainRef: { name: domain }, ...targetFields(targets) },
  };
  const checked = manifestSchema(purgeJob).safeParse(manifest);
  if (checked.success) return manifest;
  const faults = checked.error.issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  throw new CommandError(EXIT.usage, faults.join('\n'));
}

export type PurgeManifest = ReturnType<typeof purgeManifest>;

function targetFields({ url, prefix, everything }: Targets) {
  const given = [url.length > 0, prefix.length > 0, everything === true].filter(Boolean);
  if (given.length !== 1) {
    throw new CommandError(
      EXIT.usage,
      'say what to purge: --url, --prefix or --everything, one of the three',
    );
  }
  if (url.length > 0) return { urls: url };
  return prefix.length > 0 ? { prefixes: prefix } : { everything: true };
}

/** `purge-20261122t130102-a1b2c3`: sorts by time, and two at once differ. */
export function purgeName(now: number, random: string): string {
  const time = new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-:]/g, '')
    .toLowerCase();
  return `purge-${time}-${random}`;
}

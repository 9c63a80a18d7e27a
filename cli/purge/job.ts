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
  tag: string[];
  regex?: string;
  everything?: boolean;
  soft?: boolean;
}

/** Checked as a document of the folder will be: what is wrong with it is told now, with the option that said it. */
export function purgeManifest({ namespace, name: domain }: DomainName, targets: Targets, name: string) {
  const manifest = {
    apiVersion: API_VERSION,
    kind: 'PurgeJob',
    metadata: { name, namespace },
    spec: {
      domainRef: { name: domain },
      ...(targets.soft && { action: 'SoftPurge' }),
      ...targetFields(targets),
    },
  };
  const checked = manifestSchema(purgeJob).safeParse(manifest);
  if (checked.success) return manifest;
  const faults = checked.error.issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  throw new CommandError(EXIT.usage, faults.join('\n'));
}

export type PurgeManifest = ReturnType<typeof purgeManifest>;

function targetFields({ url, prefix, tag, regex, everything }: Targets) {
  const given = [
    ...(url.length > 0 ? [{ urls: url }] : []),
    ...(prefix.length > 0 ? [{ prefixes: prefix }] : []),
    ...(tag.length > 0 ? [{ tags: tag }] : []),
    ...(regex === undefined ? [] : [{ regex }]),
    ...(everything ? [{ everything: true }] : []),
  ];
  const [fields, another] = given;
  if (fields !== undefined && another === undefined) return fields;
  throw new CommandError(
    EXIT.usage,
    'say what to purge: --url, --prefix, --tag, --regex or --everything, one of the five',
  );
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

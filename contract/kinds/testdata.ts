/** For tests: the tables of good and bad manifests, with what their short form leaves out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { API_VERSION } from './kind.ts';
import { KIND_NAMES, KINDS } from './kinds.ts';

const kind = z.enum(KIND_NAMES);
const row = z.strictObject({
  name: z.string(),
  kind: kind.default('CdnDomain'),
  /** Either the whole manifest, or its spec. */
  manifest: z.unknown().optional(),
  spec: z.unknown().optional(),
});
const badRow = row.extend({ path: z.string(), message: z.string(), folderOnly: z.boolean().default(false) });

const whole = (given: z.output<typeof row>) => {
  if (given.manifest !== undefined) {
    return { ...given, kind: z.object({ kind }).parse(given.manifest).kind, manifest: given.manifest };
  }
  const namespace = KINDS[given.kind].scope === 'Namespaced' ? { namespace: 'demo' } : {};
  const metadata = { name: 'test', ...namespace };
  return { ...given, manifest: { apiVersion: API_VERSION, kind: given.kind, metadata, spec: given.spec } };
};

const read = (file: string): unknown =>
  parse(readFileSync(join(import.meta.dirname, 'testdata', file), 'utf8'));

export const goodManifests = z.array(row.transform(whole)).parse(read('good.yaml'));
export const badManifests = z
  .array(badRow.transform((given) => ({ ...given, ...whole(given) })))
  .parse(read('bad.yaml'));

export const examples = kind.options.map((name) => ({
  name: `the example of ${name}`,
  kind: name,
  manifest: read(`example-${name.toLowerCase()}.yaml`),
}));
export const exampleConfig = read('example-weir.yaml');

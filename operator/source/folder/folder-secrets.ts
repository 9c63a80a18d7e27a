/**
 * Secrets in a folder: documents of kind Secret, as one would apply them to a cluster, or files `NAME.crt` and `NAME.key`
 * beside the manifest that names them. Pure. Nothing of them enters a problem or a log.
 */
import { posix } from 'node:path';
import { z } from 'zod';
import { memo } from '../../../lib/memo.ts';
import type { FindSecret, FoundSecret } from '../secrets.ts';
import type { SourceDocument } from '../source.ts';
import type { ManifestFile } from './read-folder.ts';

const identity = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Secret'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default('default') }),
});

const entries = z.record(z.string(), z.string()).default({});
const content = z.looseObject({ data: entries, stringData: entries });

export const isSecret = ({ value }: SourceDocument): boolean => identity.safeParse(value).success;

export function folderSecrets(
  files: readonly ManifestFile[],
  documents: readonly SourceDocument[],
): FindSecret {
  const byName = new Map<string, SourceDocument>();
  for (const document of documents) {
    const { namespace, name } = identity.parse(document.value).metadata;
    // Of two the first by path, as with all else.
    if (!byName.has(`${namespace}/${name}`)) byName.set(`${namespace}/${name}`, document);
  }
  const byPath = new Map(files.map((file) => [file.path, file] as const));
  return (namespace, name, file) => {
    const document = byName.get(`${namespace}/${name}`);
    if (document) return readSecret(document);
    const [crt, key] = ['crt', 'key'].map((ending) =>
      byPath.get(posix.join(posix.dirname(file), `${name}.${ending}`)),
    );
    if (crt && key) return fromFiles(crt, key);
    const there = crt ?? key;
    const message = there
      ? `beside ${there.path} lies no ${crt ? 'key' : 'crt'} of the same name`
      : `there is no Secret ${namespace}/${name}, nor ${name}.crt and ${name}.key beside ${file}`;
    return { fault: 'SecretNotFound', message };
  };
}

/** The same of the same document, so that a pair is read once. */
const readSecret = memo(({ value, file }: SourceDocument): FoundSecret => {
  const read = content.safeParse(value);
  if (!read.success) {
    const paths = read.error.issues.map(({ path }) => path.join('.')).join(', ');
    return { fault: 'SecretInvalid', message: `the Secret in ${file}: ${paths}: text by name is wanted` };
  }
  const decoded = Object.entries(read.data.data).map(
    ([name, text]) => [name, Buffer.from(text, 'base64').toString()] as const,
  );
  return { data: { ...Object.fromEntries(decoded), ...read.data.stringData } };
});

/** The last two of each name; files are read anew at each look, and mostly say what they said. */
const lastOfPath = new Map<string, { crt: string; key: string; found: FoundSecret }>();

function fromFiles(crt: ManifestFile, key: ManifestFile): FoundSecret {
  const before = lastOfPath.get(crt.path);
  if (before?.crt === crt.text && before.key === key.text) return before.found;
  const found = { data: { 'tls.crt': crt.text, 'tls.key': key.text } };
  lastOfPath.set(crt.path, { crt: crt.text, key: key.text, found });
  return found;
}

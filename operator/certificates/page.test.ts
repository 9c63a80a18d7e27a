/** docs/certificates.md, tried: its manifests are accepted as they stand there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { KIND_NAMES, KINDS } from '../../contract/kinds/kinds.ts';
import { manifestSchema } from '../../contract/kinds/metadata.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/certificates.md'), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
const manifests = blocks
  .flatMap((text) => parseAllDocuments(text))
  .map((document) => z.looseObject({ kind: z.enum(KIND_NAMES) }).parse(document.toJS()));

test('has manifests of each way', () => {
  expect(manifests.length).toBeGreaterThan(3);
});

test.each(manifests.map((manifest) => [JSON.stringify(manifest).slice(40, 120), manifest] as const))(
  '%s',
  (_, manifest) => {
    expect(manifestSchema(KINDS[manifest.kind]).safeParse(manifest).error?.issues).toBeUndefined();
  },
);

/** Golden pairs: a cluster at one moment, and what is written for it. `npm run golden` rewrites them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { apiObject } from '../kubernetes/objects.ts';
import { SETTINGS } from '../testing/manifests.ts';
import { edgePod, kubernetesNode } from './cluster-objects.ts';
import { registrations } from './registrations.ts';

const FOLDER = join(import.meta.dirname, 'testdata');
const NOW = Date.parse('2026-11-22T04:00:00Z');
const cases = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => basename(file, '.in.yaml'));

/** What an API server adds to every object. */
function asStored(value: unknown): unknown {
  const { metadata, ...rest } = z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).parse(value);
  const added = {
    uid: `uid-of-${metadata.name}`,
    resourceVersion: '1',
    creationTimestamp: '2026-11-01T00:00:00Z',
  };
  return { ...rest, metadata: { ...added, ...metadata } };
}

const input = z.strictObject({
  registration: z.unknown(),
  nodes: z.array(z.unknown().transform(asStored).pipe(kubernetesNode)).default([]),
  pods: z.array(z.unknown().transform(asStored).pipe(edgePod)).default([]),
  edgeNodes: z.array(z.unknown().transform(asStored).pipe(apiObject)).default([]),
});

test.each(cases)('%s', (name) => {
  const { registration, nodes, pods, edgeNodes } = input.parse(
    parse(readFileSync(join(FOLDER, `${name}.in.yaml`), 'utf8'), { merge: true }),
  );
  const found = registrations({
    nodes,
    pods,
    edgeNodes: new Map(edgeNodes.map((object) => [object.metadata.name, object])),
    config: weirConfig.parse({ ...parse(SETTINGS), registration }),
    lingerMs: 600_000,
    now: NOW,
  });
  const text = stringify(found, { lineWidth: 110, aliasDuplicateObjects: false });
  const path = join(FOLDER, `${name}.out.yaml`);
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
});

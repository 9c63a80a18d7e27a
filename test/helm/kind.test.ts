/** docs/kind.md can't be run without Docker: what its commands name is held here to what there is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { weirConfig } from '../../contract/config/weir-config.ts';
import { GROUP } from '../../contract/kinds/kind.ts';
import { readDocument } from '../../operator/admit/read-document.ts';
import { parseDocuments } from '../../operator/source/folder/parse-documents.ts';
import { render } from './helm.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGE = text('docs/kind.md');
const VALUES = 'examples/kind/values.yaml';
const commands = [...PAGE.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block.split('\n').filter((line) => /^(kind|docker|kubectl|helm|dig|curl) /.test(line)),
);

const mapping = z.object({ containerPort: z.number(), hostPort: z.number() });
const cluster = z
  .object({
    name: z.string(),
    nodes: z.array(
      z.object({
        labels: z.record(z.string(), z.string()).default({}),
        extraPortMappings: z.array(mapping).default([]),
      }),
    ),
  })
  .parse(parse(text('kind-config.yaml')));

test('every file that a command names is there, and every command that Helm gets renders', async () => {
  const files = commands.flatMap((line) =>
    [...line.matchAll(/(?:-f|--config) (?!-)(\S+)/g)].map(([, file = '']) => file),
  );
  expect(files).toContain(VALUES);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  const renderings = commands.flatMap((line) => {
    const [, flags] =
      /^helm (?:install|upgrade) weir helm\/weir -n weir-system (.*) --wait$/.exec(line) ?? [];
    return flags === undefined ? [] : [flags.split(' ')];
  });
  expect(renderings).toHaveLength(2);
  for (const flags of renderings) {
    await render(...flags.map((flag) => (flag === VALUES ? join(ROOT, flag) : flag)));
  }
}, 60_000);

test('the objects that kubectl commands name are those of the chart and of the example', async () => {
  const made = [
    ...(await render('-f', join(ROOT, VALUES))),
    ...parseAllDocuments(text('examples/kind/demo.yaml')).map((document) => document.toJS()),
  ].map(({ kind, metadata }) => `${String(kind).toLowerCase()}/${metadata.name}`);
  const named = commands
    .filter((line) => line.startsWith('kubectl'))
    .flatMap((line) => [...line.matchAll(/\b(?:cdn\/| cdn )video|deployment\/\S+/g)].map(([name]) => name))
    .map((name) => name.trim().replace(/^cdn[/ ]/, 'cdndomain/'));
  expect(new Set(named)).toEqual(new Set(['cdndomain/video', 'deployment/weir-operator']));
  expect([...new Set(named)].filter((name) => !made.includes(name))).toEqual([]);
}, 60_000);

test('the example’s resources and the purge of the page are accepted', () => {
  const job = /<<EOF\n(.*?)^EOF$/ms
    .exec(PAGE)?.[1]
    ?.replace('generateName: release-', 'name: r, namespace: demo');
  const documents = [text('examples/kind/demo.yaml'), job ?? ''].flatMap((each, index) =>
    parseDocuments({ path: `${index}.yaml`, text: each }),
  );
  const ours = documents.filter(({ value }) => JSON.stringify(value).includes(`"${GROUP}/`));
  const readings = ours.map((document) => readDocument(document));
  expect(readings.flatMap(({ problems }) => problems)).toEqual([]);
  expect(readings.map(({ ref }) => ref?.kind)).toEqual(['CdnDomain', 'PurgeJob']);
});

test('ports and regions are those that kind-config.yaml maps and labels', () => {
  const values = z
    .object({ config: weirConfig, dnsServer: z.object({ service: z.object({ nodePort: z.number() }) }) })
    .parse(parse(text(VALUES)));
  const regions = cluster.nodes.flatMap(({ labels }) => labels['topology.kubernetes.io/region'] ?? []);
  expect(Object.keys(values.config.registration?.regions ?? {}).sort()).toEqual(regions.sort());
  const mappings = cluster.nodes.flatMap(({ extraPortMappings }) => extraPortMappings);
  const used = [...PAGE.matchAll(/127\.0\.0\.1(?: -p |:)(\d+)/g)].map(([, port]) => Number(port));
  const mapped = (from: number) =>
    mappings.filter(({ containerPort }) => containerPort === from).map(({ hostPort }) => hostPort);
  expect(new Set(mapped(values.dnsServer.service.nodePort))).toEqual(new Set([5300]));
  expect(used).not.toEqual([]);
  expect(used.filter((port) => ![5300, ...mapped(80)].includes(port))).toEqual([]);
  expect(PAGE).toContain(`--name ${cluster.name}\n`);
});

/** Golden pairs: what a user wrote, and the problems and plans that it leads to. `npm run golden` rewrites them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { publishedEdgePlan, publishedRoutingPlan } from '../../contract/plans/published-plan.ts';
import { formatProblem } from '../../contract/problem.ts';
import { admit } from '../admit/admit.ts';
import { NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { loadedFromStream } from '../testing/manifests.ts';
import { compile } from './compile.ts';

const FOLDER = join(import.meta.dirname, 'testdata');
const cases = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => basename(file, '.in.yaml'));

function outcome(text: string) {
  const { config, snapshot, problems } = admit(loadedFromStream(text), NOTHING_ACCEPTED);
  return { problems: problems.map(formatProblem), ...(config && compile(snapshot, config)) };
}

test.each(cases)('%s', (name) => {
  const found = outcome(readFileSync(join(FOLDER, `${name}.in.yaml`), 'utf8'));
  const text = stringify(found, { lineWidth: 110, aliasDuplicateObjects: false });
  const path = join(FOLDER, `${name}.out.yaml`);
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
  // What compile makes is what agents accept.
  if ('routing' in found) publishedRoutingPlan.shape.plan.parse(found.routing);
  if ('edge' in found) publishedEdgePlan.shape.plan.parse(found.edge);
});

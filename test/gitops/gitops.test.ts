/** What Argo CD says of our kinds, by the very script of the example; and that the examples are what they say they are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { weirConfig } from '../../contract/config/weir-config.ts';
import type { Condition } from '../../contract/kinds/conditions.ts';
import { CONDITION_MEANINGS } from '../../contract/kinds/conditions.ts';
import { runHealthCheck } from './lua.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'gitops');
const read = (path: string) => readFileSync(join(EXAMPLES, path), 'utf8');

const customizations = z.record(z.string(), z.strictObject({ 'health.lua': z.string() }));
const { data } = z
  .looseObject({ data: z.strictObject({ 'resource.customizations': z.string() }) })
  .parse(parse(read('argo-cd/argocd-cm.yaml')));
const scripts = customizations.parse(parse(data['resource.customizations']));
const script = scripts['cdn.weir.dev/*']?.['health.lua'] ?? '';

type Row = [type: string, status: Condition['status'], reason: string];

function health(rows: Row[], { generation = 2, observed = 2 } = {}) {
  const conditions = rows.map(([type, status, reason]) => {
    expect(CONDITION_MEANINGS).toHaveProperty(type);
    return { type, status, reason, message: `the "${reason}" of ${type}\n`, lastTransitionTime: '' };
  });
  const object = { metadata: { generation }, status: { observedGeneration: observed, conditions } };
  return runHealthCheck(script, object);
}

describe('Argo CD has a resource as', () => {
  test.each<[string, Row[]]>([
    [
      'Healthy',
      [
        ['Accepted', 'True', 'Accepted'],
        ['Stalled', 'False', 'NotStalled'],
        ['Ready', 'True', 'Ready'],
      ],
    ],
    [
      'Progressing',
      [
        ['Ready', 'False', 'WaitingForNodes'],
        ['Stalled', 'False', 'NotStalled'],
      ],
    ],
    [
      'Progressing',
      [
        ['Complete', 'False', 'InProgress'],
        ['Ready', 'False', 'InProgress'],
      ],
    ],
    [
      'Degraded',
      [
        ['Ready', 'True', 'Ready'],
        ['Stalled', 'True', 'Invalid'],
      ],
    ],
    [
      'Degraded',
      [
        ['Failed', 'True', 'DeadlineExceeded'],
        ['Stalled', 'True', 'DeadlineExceeded'],
      ],
    ],
    ['Degraded', [['Ready', 'False', 'NotConnected']]],
    ['Suspended', [['Ready', 'False', 'Cordoned']]],
    ['Progressing', []],
  ])('%s with %j', (status, rows) => {
    expect(health(rows).status).toBe(status);
  });

  test('Progressing while the operator has not looked at its newest form', () => {
    expect(health([['Ready', 'True', 'Ready']], { observed: 1 })).toEqual({
      status: 'Progressing',
      message: 'not looked at yet',
    });
  });

  test('Progressing before it has any status but the default', () => {
    const object = { metadata: { generation: 1 }, status: { observedGeneration: -1 } };
    expect(runHealthCheck(script, object).status).toBe('Progressing');
    expect(runHealthCheck(script, { metadata: { generation: 1 } }).status).toBe('Progressing');
  });

  test('Degraded with the reason that the operator gave', () => {
    expect(health([['Stalled', 'True', 'Invalid']]).message).toBe('the "Invalid" of Stalled\n');
  });
});

test.each([
  ['argo-cd/weir.yaml', ['spec', 'source', 'helm', 'valuesObject', 'config']],
  ['flux/weir.yaml', ['spec', 'values', 'config']],
])('%s has settings that are valid', (file, path) => {
  const [last] = parseAllDocuments(read(file)).slice(-1);
  const config = last?.getIn(path);
  expect(weirConfig.safeParse(JSON.parse(JSON.stringify(config))).error).toBeUndefined();
});

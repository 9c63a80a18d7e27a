/** Secrets in files. */
import { mkdtempSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateFolder } from '../../contract/state-folder.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { describeAgentSecrets } from '../testing/agent-secrets-suite.ts';
import { secretsFor } from './agent-secrets.ts';
import { secretFolder } from './secret-folder.ts';

let state = stateFolder('');
beforeEach(() => {
  state = stateFolder(mkdtempSync(join(tmpdir(), 'weir-secrets-')));
});
afterEach(() => rm(state.root, { recursive: true }));

const open = () => ({
  secrets: secretFolder(state, systemClock, silentLog),
  askForRollover: (zone: string) => writeFileAtomic(state.rollover(zone), ''),
});

describeAgentSecrets('a folder of secrets', open);

test('files are for their owner only', async () => {
  await open().secrets.write('cookie-secret', 'x', undefined);
  expect([(await stat(state.cookieSecret)).mode & 0o777, (await stat(state.secrets)).mode & 0o777]).toEqual([
    0o600, 0o700,
  ]);
});

test('an agent is sent what its role needs', () => {
  const values = new Map([
    ['cookie-secret', 'c'],
    ['cdn.example.net.keys.json', 'k'],
    ['ca.json', 'never'],
  ]);
  expect(secretsFor('dns-server', values).map(({ name, digest }) => [name, digest.length])).toEqual([
    ['cdn.example.net.keys.json', 64],
    ['cookie-secret', 64],
  ]);
  expect(secretsFor('edge', values)).toEqual([]);
});

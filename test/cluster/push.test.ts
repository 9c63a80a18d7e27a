/** bench/push runs, at a size that says nothing but that. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '..', '..', 'bench', 'push', 'main.ts');

test('prints a change and a purge by stage, beside the bare sender', async () => {
  const size = ['--domains', '20', '--agents', '3', '--rounds', '1', '--window', '1', '--flap', '2'];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...size]);
  expect(stdout).toMatch(/^first start to first plan: [\d.]+ s$/m);
  expect(stdout).toMatch(/^one changed CdnDomain: milliseconds$/m);
  expect(stdout).toMatch(/^one PurgeJob: milliseconds$/m);
  expect(stdout.match(/^to the last ack +\d+ +\d+ +\d+ +\d+ +[\d.]+ +[\d.]+$/gm)).toHaveLength(2);
}, 600_000);

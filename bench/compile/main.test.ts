/** The bench runs, at a size that says nothing but that. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('prints each stage, whole and after one edit', async () => {
  const args = [join(import.meta.dirname, 'main.ts'), '--domains', '30', '--nodes', '3', '--rounds', '1'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  for (const stage of ['admit', 'compile', 'publish', 'status', 'all'])
    expect(stdout).toMatch(new RegExp(`^${stage} +[\\d.]+ +[\\d.]+ +[\\d.]+$`, 'm'));
  expect(stdout).toMatch(/^3 acks decided: [\d.]+ ms$/m);
}, 60_000);

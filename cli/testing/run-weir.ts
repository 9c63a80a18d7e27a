/** Runs the `weir` command, and gives back all that it said. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { vi } from 'vitest';
import { weir } from '../main.ts';

const LAUNCHER = join(import.meta.dirname, '../weir.mjs');

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** In this process: many times faster than a new one. */
export async function runWeir(args: readonly string[]): Promise<Ran> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      said[stream] += String(chunk);
      return true;
    }),
  );
  try {
    return { code: await weir(['node', 'weir', ...args]), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** As a person would: through the launcher, in a process of its own. */
export async function spawnWeir(args: readonly string[], nodeArgs: readonly string[] = []): Promise<Ran> {
  const child = spawn(process.execPath, [...nodeArgs, LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: Number(code), stdout, stderr };
}

/** A folder of its own with these files, by relative path. */
export async function temporaryFolder(files: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-cli-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}
